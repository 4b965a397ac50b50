import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { runDifference } from '../../../test/support/run-difference.ts';
import { smallConfig, smallDataset } from '../../../test/support/small-run.ts';
import { runReplicas } from './replicas.ts';
import { readRunState } from './run-state.ts';
import { validatorFor } from './validation.ts';
import type { RunObserver, RunSummary } from './run-observer.ts';

vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 });

const root = mkdtempSync(join(tmpdir(), 'mdetr-replicas-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));
let runs = 0;
const freshFolder = (): string => join(root, `run-${runs++}`);

const settings = { max_steps: 6, ema: true, ema_decay: 0.9, dropout: 0.1, accumulate: 4, batch_size: 1 };

const train = (
  folder: string,
  more: Record<string, unknown>,
  options: { resume?: boolean; signal?: AbortSignal; observer?: RunObserver } = {},
) => runReplicas(smallConfig({ ...settings, output_dir: folder, ...more }), options);

const logOf = (folder: string): Record<string, unknown>[] =>
  readFileSync(join(folder, 'log.jsonl'), 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);

/** Expects equal parameters, averages and moments, in the same order. */
const expectSameState = async (folder: string, expected: string): Promise<void> => {
  const [found, wanted] = await Promise.all(
    [folder, expected].map(async (one) => (await readRunState(join(one, 'state.safetensors'))).trainer),
  );
  expect([...found!.moments.keys()]).toEqual([...wanted!.moments.keys()]);
  expect(found!.moments.size).toBeGreaterThan(50);
  for (const [name, moments] of wanted!.moments) expect(found!.moments.get(name), name).toEqual(moments);
  for (const kind of ['parameters', 'average'] as const)
    for (const [name, value] of wanted![kind]!) expect(found![kind]!.get(name), name).toEqual(value);
};

describe('replicas', () => {
  const one = freshFolder();
  let summary: RunSummary;
  beforeAll(async () => {
    summary = await train(one, { replicas: 1 });
  });

  it('train like one copy, up to rounding, and to the bit alike with a divided optimizer state', async () => {
    const [two, again] = [freshFolder(), freshFolder()];
    const shared = await train(two, { replicas: 2, num_workers: 2 });
    await train(again, { replicas: 2, shard_optimizer: true });
    expect(shared).toMatchObject({ steps: 6, isDone: true });
    expect(shared.loss).toBeCloseTo(summary.loss!, 3);
    expect(await runDifference(one, two)).toBeLessThan(1e-4);
    await expectSameState(again, two);
    const [first, second] = [logOf(one), logOf(two)];
    expect(second.map(({ step, pairs }) => [step, pairs])).toEqual(first.map(({ step, pairs }) => [step, pairs]));
    for (const [index, { loss, grad_norm: norm }] of second.entries()) {
      expect(loss).toBeCloseTo(first[index]!['loss'] as number, 3);
      expect((norm as number) / (first[index]!['grad_norm'] as number)).toBeCloseTo(1, 3);
    }
  });

  it('share the products of Muon, each of which one of them makes', async () => {
    const [alone, two] = [freshFolder(), freshFolder()];
    await train(alone, { replicas: 1, optimizer: 'muon', muon_lr_factor: 0.5 });
    await train(two, { replicas: 2, optimizer: 'muon', muon_lr_factor: 0.5 });
    expect(await runDifference(alone, two)).toBeLessThan(1e-4);
  });

  it('resume in any number', async () => {
    const broken = freshFolder();
    const stop = new AbortController();
    const observer: RunObserver = { onStep: (done) => done === 3 && stop.abort() };
    expect(
      await train(broken, { replicas: 2, shard_optimizer: true }, { signal: stop.signal, observer }),
    ).toMatchObject({ isDone: false });
    expect((await readRunState(join(broken, 'state.safetensors'))).position).toMatchObject({ isDone: false });
    // Three share four batches unevenly.
    expect(await train(broken, { replicas: 3 }, { resume: true })).toMatchObject({ steps: 6, isDone: true });
    expect(await runDifference(one, broken)).toBeLessThan(1e-4);
  });

  it('validate together like one process', async () => {
    const dataset = await smallDataset(freshFolder(), 19);
    const datasets_val = [
      { annotations: dataset.file, images: dataset.images, name: 'val' },
      { scenes: { seed: 6, images: 5, width: 60, height: 40, min_objects: 2, max_objects: 3 } },
    ];
    const config = smallConfig({ ...settings, output_dir: freshFolder(), replicas: 3, max_steps: 1, datasets_val });
    const done: number[] = [];
    const validate = validatorFor(config, {
      onProgress: (set, images) => set === 'val' && done.push(images),
      onNote: () => undefined,
    })!;
    await runReplicas(config, { validate, sharesValidation: true });
    expect(done).toEqual([4, 8, 12, 16, 19]);
    const { metrics } = logOf(config.output_dir).find(({ kind }) => kind === 'validation')!;
    const alone = await validate(join(config.output_dir, 'last'));
    expect(Object.keys(alone.metrics).length).toBeGreaterThan(10);
    expect(metrics).toEqual(
      Object.fromEntries(Object.entries(alone.metrics).filter(([, value]) => Number.isFinite(value))),
    );
  });

  it('report bad rows of any replica', async () => {
    const dataset = await smallDataset(freshFolder(), 9);
    dataset.annotations.images[4]!.file_name = 'missing.png';
    dataset.write();
    const datasets = [{ annotations: dataset.file, images: dataset.images }];
    const own = { replicas: 2, accumulate: 2, datasets, max_steps: 5 };
    const notes: string[] = [];
    const observer: RunObserver = { onNote: (text) => notes.push(text) };
    const summary = await train(freshFolder(), { ...own, on_bad_row: 'skip' }, { observer });
    expect(summary).toMatchObject({ steps: 5, isDone: true, skippedRows: 1 });
    expect(notes.join('\n')).toMatch(/skipped: .*missing\.png/);
    await expect(train(freshFolder(), { ...own, on_bad_row: 'stop' })).rejects.toThrow(/missing\.png/);
  });

  it.each([
    [{ replicas: 2, accumulate: 1, batch_size: 4 }, /--set accumulate=2 --set batch_size=2 makes the same step of 4/],
    [
      { replicas: 3, accumulate: 2 },
      /2 batches \(accumulate\), too few for 3 processes: set "accumulate" to 3 or more/,
    ],
    [{ replicas: 2, device: 'webgpu' }, /"webgpu" allows one replica only/],
  ])('refuse %j', async (more, message) => {
    await expect(train(freshFolder(), more)).rejects.toThrow(message);
  });
});

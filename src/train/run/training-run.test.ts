import { appendFileSync, cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it, vi } from 'vitest';
import { smallConfig } from '../../../test/support/small-run.ts';
import { createRuntime } from '../../engine/runtime/create-runtime.ts';
import { NodeRuntime } from '../../engine/runtime/node/node-runtime.ts';
import { readRunState } from './run-state.ts';
import type { RunObserver } from './run-observer.ts';
import { trainProcess, type ProcessOptions } from './training-run.ts';

vi.setConfig({ testTimeout: 300_000 });

const root = mkdtempSync(join(tmpdir(), 'mdetr-run-'));
const runtime = await createRuntime({ threads: 1 });
afterAll(() => rmSync(root, { recursive: true, force: true }));

let runs = 0;
const freshFolder = (): string => join(root, `run-${runs++}`);

interface Line {
  readonly kind: string;
  readonly step: number;
  readonly metrics?: Record<string, number>;
  readonly reason?: string;
}
const logOf = (folder: string): Line[] =>
  readFileSync(join(folder, 'log.jsonl'), 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Line);

/** All tensors of a state, in base64. */
const numbersOf = async (folder: string): Promise<Map<string, string>> => {
  const { trainer } = await readRunState(join(folder, 'state.safetensors'));
  const hex = (data: { buffer: ArrayBufferLike; byteOffset: number; byteLength: number }): string =>
    Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString('base64');
  return new Map([
    ...[...trainer.parameters].map(([name, { data }]) => [`model ${name}`, hex(data)] as const),
    ...[...(trainer.average ?? [])].map(([name, { data }]) => [`ema ${name}`, hex(data)] as const),
    ...[...trainer.moments].map(([name, { first, second }]) => [`moments ${name}`, hex(first) + hex(second)] as const),
  ]);
};

const settings = { max_steps: 12, ema: true, ema_decay: 0.9, dropout: 0.1, accumulate: 2, num_workers: 0 };

const train = (folder: string, more: Record<string, unknown> = {}, options: Partial<ProcessOptions> = {}) =>
  trainProcess(smallConfig({ ...settings, output_dir: folder, ...more }), { runtime, ...options });

/** Options that stop a run after a step. */
const stoppingAt = (step: number): { signal: AbortSignal; observer: RunObserver } => {
  const stop = new AbortController();
  return { signal: stop.signal, observer: { onStep: (done) => done === step && stop.abort() } };
};

/** A copy of a run that was stopped after step 5. */
const stoppedRun = async (): Promise<string> => {
  const folder = freshFolder();
  cpSync(await stopped(), folder, { recursive: true });
  return folder;
};
let original: Promise<string> | undefined;
const stopped = (): Promise<string> =>
  (original ??= (async () => {
    const folder = freshFolder();
    await train(folder, {}, stoppingAt(5));
    return folder;
  })());

describe('a training run', () => {
  it('ends with a state, a model folder, all settings and a log', async () => {
    const folder = freshFolder();
    // The runtime that every device has; all other tests use the fastest one.
    const summary = await train(folder, {}, { runtime: new NodeRuntime({ threads: 1 }) });
    expect(summary).toMatchObject({ steps: 12, isDone: true, skippedRows: 0, best: undefined });
    expect(summary.loss).toBeGreaterThan(0);
    for (const name of [
      'config.json',
      'state.safetensors',
      'last/model.safetensors',
      'last/tokenizer.json',
      'last/README.md',
    ])
      expect(existsSync(join(folder, name)), name).toBe(true);
    expect(existsSync(join(folder, 'best'))).toBe(false);
    expect(JSON.parse(readFileSync(join(folder, 'config.json'), 'utf8'))).toMatchObject({ max_steps: 12, lr: 1e-3 });
    const lines = logOf(folder);
    expect(lines.every(({ kind }) => kind === 'train')).toBe(true);
    // Every second step, and at the end of every epoch of four steps, and at every save.
    expect(lines.map(({ step }) => step)).toEqual([2, 4, 5, 6, 8, 10, 12]);
  });

  it('stopped and resumed repeatedly, ends with the same values to the bit', async () => {
    const [whole, broken] = [freshFolder(), freshFolder()];
    await train(whole);
    for (const step of [1, 5, 8]) {
      const summary = await train(broken, {}, { resume: true, ...stoppingAt(step) });
      expect(summary).toMatchObject({ steps: step, isDone: false });
    }
    expect(await train(broken, {}, { resume: true })).toMatchObject({ steps: 12, isDone: true });
    expect(await numbersOf(broken)).toEqual(await numbersOf(whole));
    const steps = logOf(broken).map(({ step }) => step);
    expect(steps).toEqual([...new Set(steps)].sort((a, b) => a - b));
    expect(readFileSync(join(broken, 'last/model.safetensors'))).toEqual(
      readFileSync(join(whole, 'last/model.safetensors')),
    );
  });

  it('with Muon, too, which another optimizer may follow', async () => {
    const muon = { optimizer: 'muon', max_steps: 5 };
    const [whole, broken] = [freshFolder(), freshFolder()];
    await train(whole, muon);
    await train(broken, muon, stoppingAt(3));
    const { moments } = (await readRunState(join(broken, 'state.safetensors'))).trainer;
    const matrices = [...moments].filter(([, { second }]) => second.length === 0).map(([name]) => name);
    expect(matrices).toContain('transformer.encoder.layers.0.self_attn.in_proj_weight');
    expect(matrices).not.toContain('class_embed.weight');
    await train(broken, muon, { resume: true });
    expect(await numbersOf(broken)).toEqual(await numbersOf(whole));
    expect(await train(broken, { optimizer: 'adamw', max_steps: 6 }, { resume: true })).toMatchObject({ steps: 6 });
  });

  it('resumes with the number of parts of a batch that its state names, to the bit', async () => {
    const [divided, stoppedAt] = [freshFolder(), freshFolder()];
    await train(divided, { batch_parts: 2 });
    await train(stoppedAt, { batch_parts: 2 }, stoppingAt(5));
    const { position } = await readRunState(join(stoppedAt, 'state.safetensors'));
    expect(position.batchParts).toBe(2);
    // As if a measurement had chosen them when the run began; on one thread, they are computed one after another.
    await train(stoppedAt, {}, { resume: true });
    expect(await numbersOf(stoppedAt)).toEqual(await numbersOf(divided));
  });

  it('removes log entries after the state, and resumes with a gap if the log is shorter', async () => {
    const folder = await stoppedRun();
    const before = readFileSync(join(folder, 'log.jsonl'), 'utf8');
    appendFileSync(join(folder, 'log.jsonl'), '{"kind":"train","step":6}\n{"kind":"tr');
    const notes: string[] = [];
    await train(folder, {}, { resume: true, observer: { onNote: (text) => notes.push(text) } });
    expect(notes).toEqual([]);
    expect(readFileSync(join(folder, 'log.jsonl'), 'utf8').startsWith(before)).toBe(true);
    expect(logOf(folder).map(({ step }) => step)).toEqual([2, 4, 5, 6, 8, 10, 12]);

    const lost = await stoppedRun();
    writeFileSync(join(lost, 'log.jsonl'), before.slice(0, before.indexOf('\n') + 20));
    await train(lost, {}, { resume: true, observer: { onNote: (text) => notes.push(text) } });
    expect(notes.join()).toMatch(/end of the log is missing/);
    expect(logOf(lost).map(({ step }) => step)).toEqual([2, 6, 8, 10, 12]);
  });

  it('keeps the model of the best validation, with the weights that are shipped', async () => {
    const folder = freshFolder();
    const asked: string[] = [];
    const quality = [0.2, 0.5, 0.3];
    const summary = await train(
      folder,
      { validate_every: 5 },
      {
        validate: (model) => {
          asked.push(readFileSync(join(model, 'model.safetensors')).toString('base64'));
          const metric = quality[asked.length - 1]!;
          return Promise.resolve({ metrics: { recall: metric, nothing: NaN }, metric });
        },
      },
    );
    expect(summary.best).toEqual({ metric: 0.5, step: 10 });
    expect(asked).toHaveLength(3);
    expect(readFileSync(join(folder, 'best/model.safetensors')).toString('base64')).toBe(asked[1]);
    expect(readFileSync(join(folder, 'last/model.safetensors')).toString('base64')).toBe(asked[2]);
    expect(logOf(folder).filter(({ kind }) => kind === 'validation')).toEqual([
      { kind: 'validation', step: 5, epoch: 1, metrics: { recall: 0.2 } },
      { kind: 'validation', step: 10, epoch: 2, metrics: { recall: 0.5 } },
      { kind: 'validation', step: 12, epoch: 3, metrics: { recall: 0.3 } },
    ]);
    expect(readFileSync(join(folder, 'last/README.md'), 'utf8')).toContain('| recall | 0.3000 |');
  });

  it('validates every eval_skip epochs, and at the end', async () => {
    const steps: number[] = [];
    const validate = (): Promise<{ metrics: Record<string, number>; metric: number }> =>
      Promise.resolve({ metrics: {}, metric: 1 });
    const folder = freshFolder();
    await train(folder, { eval_skip: 2 }, { validate });
    steps.push(
      ...logOf(folder)
        .filter(({ kind }) => kind === 'validation')
        .map(({ step }) => step),
    );
    expect(steps).toEqual([4, 12]);
  });

  it.each([5, 12])('a validation interrupted at step %i is repeated', async (at) => {
    const folder = freshFolder();
    const stop = new AbortController();
    const validate = (_: string, signal?: AbortSignal): Promise<never> => {
      stop.abort();
      signal?.throwIfAborted();
      throw new Error('internal: the signal is not aborted');
    };
    const every = { validate_every: at };
    const stopped = await train(folder, every, { validate, signal: stop.signal });
    expect(stopped).toMatchObject({ steps: at, isDone: false });
    expect(logOf(folder).some(({ kind }) => kind === 'validation')).toBe(false);
    const good = (): Promise<{ metrics: Record<string, number>; metric: number }> =>
      Promise.resolve({ metrics: { a: 1 }, metric: 1 });
    const summary = await train(folder, every, { resume: true, validate: good });
    expect(summary).toMatchObject({ steps: 12, isDone: true, best: { step: at } });
    expect(
      logOf(folder)
        .filter(({ kind }) => kind === 'validation')
        .map(({ step }) => step),
    ).toContain(at);
  });

  it('does not overwrite another run, and has nothing to do when it is done', async () => {
    const folder = freshFolder();
    await train(folder, { max_steps: 2 });
    await expect(train(folder)).rejects.toThrow(/holds a run already \(step 2\): resume it with --resume/);
    const again = await train(folder, { max_steps: 2 }, { resume: true });
    expect(again).toMatchObject({ steps: 2, isDone: true, loss: undefined });
    // The config asks for more steps now.
    const notes: string[] = [];
    const observer = { onNote: (text: string) => notes.push(text) };
    expect(await train(folder, { max_steps: 3 }, { resume: true, observer })).toMatchObject({ steps: 3, isDone: true });
    expect(notes).toEqual(['resumed with changed settings: max_steps']);
  });

  it('resumes with another batch size at the next complete step', async () => {
    const folder = await stoppedRun();
    const summary = await train(folder, { batch_size: 4 }, { resume: true });
    expect(summary).toMatchObject({ steps: 12, isDone: true });
  });

  it('names batch, term and remedy if the loss is not finite, and keeps the last good state', async () => {
    const folder = await stoppedRun();
    const before = await numbersOf(folder);
    const error = await train(folder, { bbox_loss_coef: 1e308, giou_loss_coef: 1e308 }, { resume: true }).then(
      () => undefined,
      (thrown: unknown) => thrown as Error,
    );
    expect(error?.message).toMatch(
      /step 6: the (loss|gradient) is not finite .*scenes of seed 5, scene \d+: ".*The state after step 5 is kept in .*--resume.*--set lr=/,
    );
    expect(await numbersOf(folder)).toEqual(before);
  });

  it('reports what is missing before it starts', async () => {
    await expect(train('')).rejects.toThrow(/--output-dir DIR, or output_dir/);
    await expect(train(freshFolder(), { datasets: [] })).rejects.toThrow(
      /nothing to train on: name "datasets" or "combine_datasets"/,
    );
    await expect(train(freshFolder(), { datasets: [{ scenes: 'no/such/folder' }] })).rejects.toThrow(
      /no\/such\/folder: is not a folder of scenes/,
    );
    await expect(train(freshFolder(), { datasets: [{ annotations: 'no.json', images: '.' }] })).rejects.toThrow(
      /no\.json: no such annotation file/,
    );
    await expect(
      train(freshFolder(), { datasets: [{ annotations: 'package.json', images: 'no/images' }] }),
    ).rejects.toThrow(/no\/images: there is no such folder; it should hold the images of package\.json/);
    await expect(train(freshFolder(), { datasets: [], combine_datasets: ['flickr'] })).rejects.toThrow(
      /final_flickr_separateGT_train\.json: no such annotation file; the paths of "flickr" are set by flickr_ann_path and flickr_img_path/,
    );
    await expect(train(freshFolder(), { batch_size: 20 })).rejects.toThrow(
      /16 rows, too few for one step of 40 \(batch_size 20, accumulate 2\): lower them, as with --set batch_size=8/,
    );
    await expect(train(freshFolder(), { tokenizer: 'no/vocabulary' })).rejects.toThrow(
      /no\/vocabulary: there is no such/,
    );
    await expect(train(freshFolder(), { tokenizer: undefined, text_encoder_type: 'mine' })).rejects.toThrow(
      /no vocabulary for text_encoder_type "mine".*--set tokenizer=DIR/,
    );
    await expect(train(freshFolder(), { load: 'no-such-model' })).rejects.toThrow(/no-such-model/);
    writeFileSync(join(root, 'a-file'), '');
    await expect(train(join(root, 'a-file'))).rejects.toThrow(/a-file: no folder for a run/);
  });
});

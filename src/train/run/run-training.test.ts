import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it, vi } from 'vitest';
import { smallDataset, smallValues } from '../../../test/support/small-run.ts';
import type { RunSummary } from './run-observer.ts';
import { runTraining } from './run-training.ts';

vi.setConfig({ testTimeout: 300_000 });

const root = mkdtempSync(join(tmpdir(), 'mdetr-run-training-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

const validationSet = { scenes: { seed: 6, images: 1, width: 96, height: 64, min_objects: 2, max_objects: 3 } };
const stages = [
  { name: 'backbone', objective: 'backbone', backbone_auxiliary_loss: 1, max_steps: 2 },
  { name: 'main', max_steps: 3 },
];

describe('runTraining', () => {
  it('trains all stages of a config, validates, and keeps the best model', async () => {
    const output = join(root, 'staged');
    const config = { ...smallValues, output_dir: output, datasets_val: [validationSet], stages };
    const events: string[] = [];
    const summaries: RunSummary[] = [];
    const validated: string[] = [];
    const summary = await runTraining(config, {
      observer: {
        onStage: ({ name, index, count }) => events.push(`${name} ${index + 1}/${count}`),
        onStart: ({ steps }) => events.push(`${steps} steps`),
        onValidationProgress: (set, done, total) => validated.push(`${set} ${done}/${total}`),
        onValidation: (metrics) => events.push(Object.keys(metrics)[0]!),
        onStageEnd: (ended) => summaries.push(ended),
      },
    });
    const [first, second] = ['backbone', 'main'].map((name) => join(output, name));
    expect(events).toEqual([
      'backbone 1/2',
      '2 steps',
      'scenes/phrase_recall_at_1',
      'main 2/2',
      '3 steps',
      'scenes/phrase_recall_at_1',
    ]);
    expect(validated).toContain('scenes 1/1');
    expect(summaries).toMatchObject([
      { folder: first, steps: 2, isDone: true, best: { step: 2 } },
      { folder: second, steps: 3, isDone: true, best: { step: 3 } },
    ]);
    expect(summary).toEqual(summaries[1]);
    expect(JSON.parse(readFileSync(join(output, 'stages.json'), 'utf8'))).toEqual(['backbone', 'main']);
    for (const folder of ['last', 'best']) expect(existsSync(join(second!, folder, 'model.safetensors'))).toBe(true);
  });

  it('stops in the stage in which it is told to, and resumes there', async () => {
    const config = { ...smallValues, output_dir: join(root, 'stopped'), stages };
    const stop = new AbortController();
    const observer = { onStep: () => stop.abort() };
    const stopped = await runTraining(config, { signal: stop.signal, observer });
    expect(stopped).toMatchObject({ folder: join(root, 'stopped/backbone'), steps: 1, isDone: false });
    const started: string[] = [];
    const resumed = await runTraining(config, {
      resume: true,
      observer: { onStage: ({ name }) => started.push(name) },
    });
    expect(started).toEqual(['backbone', 'main']);
    expect(resumed).toMatchObject({ folder: join(root, 'stopped/main'), steps: 3, isDone: true });
  });

  it('reads a config file with its paths beside it, and overrides it by settings', async () => {
    mkdirSync(join(root, 'mine'));
    await smallDataset(join(root, 'mine'), 4);
    const path = join(root, 'mine/config.json');
    const { datasets: _, ...values } = smallValues;
    const dataset = { annotations: 'annotations.json', images: 'images' };
    writeFileSync(path, JSON.stringify({ ...values, datasets: [dataset], mirror: 0 }));
    const notes: string[] = [];
    const summary = await runTraining(path, {
      settings: ['max_steps=1', `output_dir=${join(root, 'out')}`],
      observer: { onNote: (text) => notes.push(text) },
    });
    expect(summary).toMatchObject({ folder: join(root, 'out'), steps: 1, isDone: true });
    expect(notes).toContain(`${path}: "mirror" is now called "horizontal_flip_prob"`);
  });

  it('reports what is wrong with any stage before the first one starts', async () => {
    const output = join(root, 'wrong');
    await expect(
      runTraining({ ...smallValues, output_dir: output, stages: [{ max_steps: 1 }, { epoch: 3 }] }),
    ).rejects.toThrow(/config, stage stage2: unknown key "epoch"; did you mean "epochs"\?/);
    await expect(runTraining({ ...smallValues, max_steps: 1 })).rejects.toThrow(/name a folder for the run/);
    await expect(
      runTraining({ ...smallValues, output_dir: output, datasets_val: [{ scenes: join(root, 'none') }] }),
    ).rejects.toThrow(/none: is not a folder of scenes/);
    expect(existsSync(output)).toBe(false);
  });
});

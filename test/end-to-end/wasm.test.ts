import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CommandLine, projectRoot, scene } from '../support/run-mdetr.ts';

interface LogEntry {
  readonly kind: string;
  readonly loss: number;
}

const caption = 'a large green sphere and the small purple cylinder';

describe('on the WebAssembly runtime', () => {
  const native = new CommandLine();
  const wasm = new CommandLine();
  beforeAll(() => {
    wasm.env['MDETR_RUNTIME'] = 'wasm';
    for (const command of [native, wasm]) command.cwd = projectRoot;
  });
  afterAll(() => {
    native.remove();
    wasm.remove();
  });

  const expectSameBoxes = (
    ours: readonly Record<string, unknown>[],
    theirs: readonly Record<string, unknown>[],
  ): void => {
    const boxesOf = (results: readonly Record<string, unknown>[]): number[] =>
      results.flatMap(({ detections }) =>
        (detections as { box: number[]; score: number }[]).flatMap(({ box, score }) => [...box, 100 * score]),
      );
    const expected = boxesOf(theirs);
    expect(expected.length).toBeGreaterThan(0);
    boxesOf(ours).forEach((value, index) => expect(value).toBeCloseTo(expected[index]!, 2));
  };

  it('detect gives the boxes of the native runtime', async () => {
    const args = ['detect', scene, '--caption', caption];
    expectSameBoxes(await wasm.json(...args), await native.json(...args));
  });

  it('refer with masks and ask work', async () => {
    const [referred] = await wasm.json('refer', scene, '--expression', 'the purple cylinder', '--masks');
    expect(referred).toMatchObject({ best: { mask: { size: [320, 480] } } });
    const [answered] = await wasm.json(
      'ask',
      scene,
      '--question',
      'What color is the large sphere in front of the brown ball?',
    );
    expect(answered).toMatchObject({
      question: 'What color is the large sphere in front of the brown ball?',
      answer: 'gray',
    });
  });

  it('evaluate measures the scenes benchmark', () => {
    const args = ['evaluate', '--task', 'scenes', '--split', 'standard', '--count', '2'];
    const ours = wasm.run(...args);
    expect(ours.status, ours.stderr).toBe(0);
    expect(ours.stdout).toBe(native.run(...args).stdout);
  });

  it('three training steps have the losses of the native runtime', () => {
    const losses = (command: CommandLine): number[] => {
      const run = command.run(
        'train',
        join(projectRoot, 'examples/finetune/config.json'),
        '--output-dir',
        command.file('run'),
        '--set',
        'max_steps=3',
        '--set',
        'log_every=1',
        '--set',
        'datasets_val=[]',
        '--workers',
        '0',
      );
      expect(run.status, run.stderr).toBe(0);
      return readFileSync(command.file('run/log.jsonl'), 'utf8')
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as LogEntry)
        .filter(({ kind }) => kind === 'train')
        .map(({ loss }) => loss);
    };
    const [ours, theirs] = [losses(wasm), losses(native)];
    expect(ours).toHaveLength(3);
    ours.forEach((loss, step) => expect(loss / theirs[step]!).toBeCloseTo(1, 3));
  });

  it('other devices and unknown runtimes are refused before anything is loaded', () => {
    const device = wasm.run('detect', scene, '--caption', caption, '--device', 'webgpu');
    expect(device.status).toBe(2);
    expect(device.stderr).toContain('MDETR_RUNTIME=wasm runs on the CPU only');
  });
});

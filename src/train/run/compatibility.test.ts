import { cpSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it, vi } from 'vitest';
import { MDETR } from '../../inference/node/mdetr.ts';
import { currentMetricName } from '../../names/current-names.ts';
import { readRunCurves } from './run-curves.ts';
import { runTraining } from './run-training.ts';

vi.setConfig({ testTimeout: 120_000 });

const fixtures = fileURLToPath(new URL('../../../test/fixtures/compat-f312c71/', import.meta.url));
const root = mkdtempSync(join(tmpdir(), 'mdetr-compatibility-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));
cpSync(fixtures, root, { recursive: true });

interface Expected {
  readonly continuation: readonly (
    | { kind: 'train'; step: number; loss: number; grad_norm: number; terms: Record<string, number> }
    | { kind: 'validation'; step: number; metrics: Record<string, number> }
  )[];
  readonly detections: { caption: string; boxes: readonly { box: number[]; score: number }[] };
  readonly answer: { question: string; answers: readonly { answer: string; probability: number }[] };
}
const expected = JSON.parse(readFileSync(join(fixtures, 'expected.json'), 'utf8')) as Expected;

/** Equal but for the rounding of other processors. */
const near = (value: number): number => expect.closeTo(value, 3 - Math.ceil(Math.log10(Math.abs(value) + 1))) as number;
const allNear = (values: Readonly<Record<string, number>>): Record<string, number> =>
  Object.fromEntries(Object.entries(values).map(([name, value]) => [currentMetricName(name), near(value)]));

describe('what commit f312c71 wrote', () => {
  it('a run folder resumes with the losses with which that commit resumed it', async () => {
    const notes: string[] = [];
    const started: string[] = [];
    const output = join(root, 'run');
    const summary = await runTraining(join(root, 'config.json'), {
      settings: [`output_dir=${output}`],
      resume: true,
      observer: { onNote: (text) => notes.push(text), onStage: ({ name }) => started.push(name) },
    });
    expect(summary).toMatchObject({ steps: 8, isDone: true, folder: join(output, 'main') });
    expect(started).toEqual(['main']);
    expect(notes).toContainEqual(expect.stringMatching(/: "mirror" is now called "horizontal_flip_prob"$/));
    expect(notes.filter((text) => !text.includes(' is now called '))).toEqual([]);
    const lines = readFileSync(join(output, 'main/log.jsonl'), 'utf8').trim().split('\n');
    const entries = lines.map((line) => JSON.parse(line) as Expected['continuation'][number]);
    expect(entries.map(({ kind, step }) => `${kind} ${step}`)).toEqual([
      'train 1',
      'train 2',
      'train 3',
      'train 4',
      ...expected.continuation.map(({ kind, step }) => `${kind} ${step}`),
    ]);
    for (const [i, entry] of expected.continuation.entries()) {
      const found = entries[i + 4]!;
      if (entry.kind === 'validation') expect(found).toMatchObject({ metrics: allNear(entry.metrics) });
      else
        expect(found).toMatchObject({
          loss: near(entry.loss),
          grad_norm: near(entry.grad_norm),
          terms: allNear(entry.terms),
        });
    }
    const curves = await readRunCurves(output);
    expect(curves.curves.get('auxiliary_object')?.points.map(([step]) => step)).toEqual([
      1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11,
    ]);
    expect([...curves.curves.keys()].filter((name) => name.includes('helper'))).toEqual([]);
  });

  it('a model folder loads and finds the same boxes and answers', async () => {
    const model = await MDETR.fromPretrained(join(root, 'model'));
    try {
      const [width, height, channels] = [96, 64, 3] as const;
      const data = Uint8Array.from({ length: width * height * channels }, (_, index) => (index * 7919) % 251);
      const { caption, boxes } = expected.detections;
      const { detections } = await model.detect({ data, width, height, channels }, caption, { threshold: 0 });
      expect(detections.map(({ score }) => score)).toEqual(
        boxes.map(({ score }) => expect.closeTo(score, 4) as number),
      );
      detections.forEach(({ box }, index) =>
        expect([...box]).toEqual(boxes[index]!.box.map((value) => expect.closeTo(value, 1) as number)),
      );
      const { question, answers } = expected.answer;
      const found = await model.ask({ data, width, height, channels }, question);
      expect(found.answers.map(({ answer, probability }) => ({ answer, probability }))).toEqual(
        answers.map(({ answer, probability }) => ({ answer, probability: expect.closeTo(probability, 4) as number })),
      );
    } finally {
      await model.dispose();
    }
  });
});

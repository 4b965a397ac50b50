import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { MdetrError } from '../../errors.ts';
import { Training } from '../run/training.ts';
import type { TrainingBox, TrainingSample } from './own-samples.ts';
import { codePointSpan, spanOfPhrase } from './phrase-spans.ts';

vi.setConfig({ testTimeout: 120_000 });

const box: TrainingBox['box'] = [10, 10, 50, 40];
const image = { width: 96, height: 64, channels: 3, data: new Uint8Array(96 * 64 * 3).fill(120) } as const;
const sample = (caption: string, ...boxes: TrainingBox[]): TrainingSample => ({ image, caption, boxes, name: 'mine' });

describe('a batch of own samples', () => {
  let training: Training;
  beforeAll(async () => {
    training = await Training.open({
      load: 'default',
      max_steps: 4,
      mask_loss_coef: 0,
      dice_loss_coef: 0,
      align_fallback: 'own_caption',
      threads: 1,
      optimizer: 'adamw',
      lr: 1e-5,
      lr_backbone: 1e-5,
      text_encoder_lr: 1e-5,
    });
  });
  afterAll(() => training.dispose());

  /** Tokens of each box in the positive map of a batch with one sample. */
  const positives = async (...boxes: TrainingBox[]): Promise<number[][]> => {
    const { targets } = await training.batchOf([sample('the red cube and the blue cube 🙂 and a ball', ...boxes)]);
    const { data, shape } = targets.inputs.positive_map;
    const width = shape.at(-1)!;
    return boxes.map((_, row) =>
      Array.from({ length: width }, (_value, at) => Number(data[row * width + at])).flatMap((value, at) =>
        value > 0 ? [at] : [],
      ),
    );
  };

  it('is trained on by the shipped model', async () => {
    const batch = await training.batchOf([
      sample('the red cube and a ball', { box, phrase: 'the red cube' }, { box: [60, 20, 80, 50], phrase: 'a ball' }),
      { ...sample('how many cubes are there?'), answer: '2' },
    ]);
    const { total, terms } = await training.step(batch);
    expect(Number.isFinite(total)).toBe(true);
    expect(terms['loss_answer_type']).toBeGreaterThan(0);
    expect((await training.step(await training.batchOf([sample('a ball', { box, phrase: 'a ball' })]))).step).toBe(1);
  });

  it('takes phrases or spans, with the same tokens', async () => {
    const [byPhrase, second, bySpans, late] = await positives(
      { box, phrase: 'the red cube' },
      { box, phrase: 'cube', occurrence: 2 },
      { box, spans: [{ start: 0, end: 12 }] },
      { box, phrase: 'a ball' },
    );
    expect(byPhrase).toHaveLength(3);
    expect(bySpans).toEqual(byPhrase);
    expect(second).toHaveLength(1);
    expect(second![0]).toBeGreaterThan(byPhrase!.at(-1)!);
    expect(late).toHaveLength(2);
  });

  it.each<[TrainingBox, RegExp]>([
    [{ box, phrase: 'cube' }, /mine: phrase "cube" occurs 2 times in the caption: say which by occurrence \(1 to 2\)/],
    [{ box, phrase: 'cube', occurrence: 3 }, /occurrence of phrase "cube" must be an integer from 1 to 2, not 3/],
    [{ box, phrase: 'cub' }, /phrase "cub" does not occur in the caption "the red/],
    [{ box, phrase: ' ' }, /phrase is empty/],
    [{ box } as unknown as TrainingBox, /boxes\[0\]: give either phrase or spans/],
    [{ box, spans: [[0, 5]] } as unknown as TrainingBox, /spans must be \{ start, end \} in UTF-16 units/],
    [{ box: [5, 5, 5, 9], phrase: 'a ball' }, /boxes\[0\]\.box is \[5, 5, 5, 9\]: it must be x0, y0, x1, y1 in pixels/],
  ])('%j is refused, naming sample and field', async (own, message) => {
    await expect(positives(own)).rejects.toThrow(MdetrError);
    await expect(positives(own)).rejects.toThrow(message);
  });
});

describe('spans', () => {
  it('of phrases begin and end at word borders', () => {
    expect(spanOfPhrase('bored in red', 'red', undefined)).toEqual({ start: 9, end: 12 });
    expect(spanOfPhrase('über-rote Würfel', 'Würfel', undefined)).toEqual({ start: 10, end: 16 });
    expect(() => spanOfPhrase('bored', 'red', undefined)).toThrow(/does not occur/);
  });

  it('count code points in annotations', () => {
    expect(codePointSpan('🙂 ball', { start: 3, end: 7 })).toEqual([2, 6]);
    expect(codePointSpan('🙂', { start: 0, end: 2 })).toEqual([0, 1]);
    for (const [start, end] of [
      [1, 2],
      [0, 1],
      [3, 3],
      [0, 8],
      [-1, 2],
      [0.5, 2],
    ] as const)
      // prettier-ignore
      expect(() => codePointSpan('🙂 ball', { start, end })).toThrow(/spans must be \{ start, end \}/);
  });
});

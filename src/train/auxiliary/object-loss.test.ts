import { describe, expect, it } from 'vitest';
import { checkGradient, evaluate } from '../../../test/support/op-check.ts';
import type { HostTensor, Tensor } from '../../engine/graph/index.ts';
import { gradients, literal, scalar, softmax } from '../../engine/ops/index.ts';
import type { AnswerSlot } from './answer-slots.ts';
import type { AuxiliaryImage } from './auxiliary-batch.ts';
import type { Mean } from './auxiliary-loss.ts';
import { objectAttentionLosses, slotInputs } from './object-loss.ts';

/** Three objects side by side; one query for each, from right to left, and one between them. */
const OBJECTS = [0, 1, 2].map((x) => [x * 0.3, 0.2, x * 0.3 + 0.2, 0.6]);
const QUERIES = [
  [0.7, 0.4, 0.2, 0.4],
  [0.4, 0.4, 0.18, 0.4],
  [0.1, 0.4, 0.2, 0.36],
  [0.25, 0.4, 0.1, 0.4],
];
/** One question query of one caption: attention of two heads to four detection queries and to itself. */
const ATTENTION = [
  [0.1, 0.2, 0.3, 0.1, 0.3],
  [0.5, 0.1, 0.1, 0.1, 0.2],
];

/** Sum and count of the loss as functions of attention and boxes of the queries. */
const lossFor =
  (answerSlots: readonly AnswerSlot[]) =>
  (selfAttention: Tensor, boxesCxcywh: Tensor): Mean => {
    const image: AuxiliaryImage = {
      id: 'image',
      image: { height: 6, width: 10 },
      captions: [{ boxesCxcywh: new Float32Array(0), answerSlots }],
      objects: {
        instances: new Uint8Array(60),
        boxesXyxy: Float32Array.from(OBJECTS.flat()),
        attributes: new Int32Array(12),
        objectOfBox: [[]],
      },
    };
    const inputs = slotInputs([image]);
    const constant = (name: string): Tensor => {
      const { data, shape, dtype } = inputs[name] as HostTensor;
      return literal(Array.from(data as Float32Array), shape, dtype);
    };
    const layer = { output: selfAttention, attention: selfAttention, selfAttention, boxesCxcywh };
    return objectAttentionLosses([layer], constant)[0]!;
  };

const lossOf = async (
  answerSlots: readonly AnswerSlot[],
  queries = QUERIES,
): Promise<{ sum: number; count: number }> => {
  const results = await evaluate(
    (...inputs) => ({ ...lossFor(answerSlots)(inputs[0]!, inputs[1]!) }),
    [
      { shape: [1, 2, 1, 5], data: ATTENTION.flat() },
      { shape: [1, 4, 4], data: queries.flat() },
    ],
  );
  return { sum: results['sum']!.data[0]!, count: results['count']!.data[0]! };
};

const entropy = (...probabilities: number[]): number =>
  -probabilities.reduce((sum, p) => sum + Math.log(p + 1e-4), 0) / probabilities.length;

describe('the attention of questions to the queries of their objects', () => {
  it('is equal for the queries of a set and the question itself', async () => {
    const { sum, count } = await lossOf([{ objects: [0, 2], isSet: true }]);
    expect(count).toBe(1);
    expect(sum).toBeCloseTo(entropy(0.3, 0.1, 0.3), 4);
  });

  it('is all on the question itself for an empty set', async () => {
    expect((await lossOf([{ objects: [], isSet: true }])).sum).toBeCloseTo(entropy(0.3), 4);
  });

  it('is all on the query of an object, each slot in a head of its own', async () => {
    const { sum, count } = await lossOf([
      { objects: [1], isSet: false },
      { objects: [2], isSet: false },
    ]);
    expect(count).toBe(2);
    expect(sum).toBeCloseTo(entropy(0.2) + entropy(0.5), 4);
  });

  it('is not trained where an object has no query, nor by captions that ask nothing', async () => {
    const without = QUERIES.map((query, index) => (index === 1 ? [0.4, 0.9, 0.1, 0.1] : query));
    expect(await lossOf([{ objects: [0, 1], isSet: true }], without)).toEqual({ sum: 0, count: 0 });
    expect(await lossOf([])).toEqual({ sum: 0, count: 0 });
  });

  it('has the gradient of finite differences in the attention, and none in the boxes', async () => {
    const loss = lossFor([
      { objects: [0, 1], isSet: true },
      { objects: [2], isSet: false },
    ]);
    const attention = { shape: [1, 2, 1, 5], data: ATTENTION.flat() };
    const boxes = { shape: [1, 4, 4], data: QUERIES.flat() };
    await checkGradient((x, y) => loss(softmax(x), y).sum, [attention, boxes], { wrt: [0] });
    const { gradient } = await evaluate(
      (x, y) => ({ gradient: gradients([{ tensor: loss(x, y).sum, cotangent: scalar(1) }], [y])[0]! }),
      [attention, boxes],
    );
    expect(gradient!.data.every((value) => value === 0)).toBe(true);
  });
});

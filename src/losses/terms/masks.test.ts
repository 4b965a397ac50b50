import { describe, expect, it } from 'vitest';
import { evaluate, expectClose, noise, runtime, type Operand } from '../../../test/support/op-check.ts';
import { loadCase } from '../../../test/support/reference-case.ts';
import { float32Tensor, type HostTensor } from '../../engine/graph/index.ts';
import { parseModelConfig } from '../../models/index.ts';
import { div, gradients, scalar } from '../../engine/ops/index.ts';
import { softmaxRows } from '../../postprocess/scored-boxes.ts';
import { diceLoss, focalLoss } from './masks.ts';
import {
  boxNormalizer,
  joinTargets,
  lossInputs,
  makeLossProgram,
  maskQueries,
  matchesDim,
  matchLayers,
  parseCriterionConfig,
  readLosses,
  type SampleTarget,
} from '../index.ts';

const reference = loadCase('criterion');
const operand = (name: string): Operand => {
  const { shape, data } = reference.typed(name, 'f32');
  return { shape, data };
};
const expected = reference.json['maskLosses'] as { num_boxes: number; focal: number; dice: number };

describe('focal and dice loss', () => {
  it.each([
    ['focal', focalLoss],
    ['dice', diceLoss],
  ] as const)('%s: value and gradient, equal to the official', async (name, loss) => {
    const [logits, targets] = [operand('mask.logits'), operand('mask.targets')];
    const { value, slope } = await evaluate(
      (x, t) => {
        const total = div(loss(x, t), expected.num_boxes);
        const [dx] = gradients([{ tensor: total, cotangent: scalar(1) }], [x]);
        return { value: total, slope: dx! };
      },
      [logits, targets],
      { symbolic: true },
    );
    expectClose(value!, { shape: [], data: [expected[name]] }, 1e-6);
    const wanted = [...reference.f32(`mask.grad.${name}`)];
    const scale = Math.max(...wanted.map(Math.abs));
    expectClose(
      { ...slope!, data: slope!.data.map((entry) => entry / scale) },
      { shape: logits.shape, data: wanted.map((entry) => entry / scale) },
      1e-5,
    );
  });
});

const config = {
  ...parseModelConfig({ mask_model: 'smallconv', contrastive_align_loss: false, aux_loss: false, num_queries: 3 }),
  ...parseCriterionConfig({}),
};
const { program, termNames } = makeLossProgram(config, {
  pred_logits: [1, 2, 3, 256],
  pred_boxes: [1, 2, 3, 4],
  pred_masks: [matchesDim, 2, 2],
});

const predictions = {
  pred_logits: float32Tensor([1, 2, 3, 256], Float32Array.from(noise(2 * 3 * 256, 3))),
  pred_boxes: float32Tensor([1, 2, 3, 4], new Float32Array(24).fill(0.5)),
};
const probabilities = float32Tensor([1, 2, 3, 256], softmaxRows(predictions.pred_logits.data as Float32Array, 2 * 3));

const run = async (samples: readonly SampleTarget[], masks: HostTensor): Promise<Record<string, HostTensor>> => {
  const targets = joinTargets(samples, undefined, config);
  const matches = matchLayers({ ...predictions, pred_probabilities: probabilities }, targets, config);
  const boxes = targets.boxCounts.reduce((sum, count) => sum + count, 0);
  const session = await runtime.load(program);
  try {
    return await session.run({
      ...predictions,
      pred_masks: masks,
      ...lossInputs(targets, matches, 3, boxNormalizer(boxes)),
    });
  } finally {
    await session.dispose();
  }
};

const sample = (boxes: number, masks: SampleTarget['masks']): SampleTarget => ({
  boxesCxcywh: new Float32Array(4 * boxes).fill(0.5),
  positiveRows: Array.from({ length: boxes }, () => ({ count: 1, tokens: [1] })),
  masks,
});

describe('mask losses of a batch', () => {
  it('enlarges predictions to the padded targets and takes padding as background', async () => {
    // One box a sample, 4 × 2 and 2 × 4 pixels: the batch is 4 × 4.
    const tall = { data: Uint8Array.of(1, 1, 1, 1, 0, 0, 0, 0), height: 4, width: 2 };
    const wide = { data: Uint8Array.of(0, 0, 1, 1, 0, 0, 1, 1), height: 2, width: 4 };
    const masks = float32Tensor([2, 2, 2], [4, -4, -4, -4, -4, 4, -4, -4]);
    const results = await run([sample(1, tall), sample(1, wide)], masks);
    const { terms } = readLosses(results, termNames);

    // Bilinear from 2 to 4: weights 1, ¾, ¼, 0 of the first of two pixels, along each axis.
    const share = [1, 0.75, 0.25, 0];
    const corner = (flipped: boolean): number[] =>
      share.flatMap((row) => share.map((_, x) => -4 + 8 * row * share[flipped ? 3 - x : x]!));
    const targets = [
      [1, 1, 0, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
      [0, 0, 1, 1, 0, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0],
    ];
    const focal = (x: number, t: number): number => {
      const p = 1 / (1 + Math.exp(-x));
      return t === 1 ? -0.25 * (1 - p) ** 2 * Math.log(p) : -0.75 * p ** 2 * Math.log(1 - p);
    };
    const perMask = targets.map((target, n) => {
      const logits = corner(n === 1);
      return logits.reduce((sum, x, pixel) => sum + focal(x, target[pixel]!), 0) / 16;
    });
    expect(terms['loss_mask']).toBeCloseTo((perMask[0]! + perMask[1]!) / 2, 6);
    expect(results['d_pred_masks']!.shape).toEqual([2, 2, 2]);
  });

  it('takes a batch without boxes', async () => {
    const none = { data: new Uint8Array(0), height: 4, width: 4 };
    const results = await run([sample(0, none), sample(0, none)], float32Tensor([0, 2, 2], []));
    const { terms, total } = readLosses(results, termNames);
    expect(terms).toMatchObject({ loss_mask: 0, loss_dice: 0, loss_bbox: 0, loss_giou: 0 });
    expect(total).toBeGreaterThan(0);
    expect(results['d_pred_masks']!.shape).toEqual([0, 2, 2]);
  });

  it('lists the queries that masks are made of', () => {
    const match = (queries: number[]) => ({ queries: Int32Array.from(queries), targets: Int32Array.from(queries) });
    const { indices, samples } = maskQueries(
      [
        [match([0]), match([0])],
        [match([1, 2]), match([0])],
      ],
      3,
    );
    expect([...indices]).toEqual([1, 2, 3]);
    expect([...samples]).toEqual([0, 0, 1]);
  });
});

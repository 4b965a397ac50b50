import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { expectClose, runtime } from '../../test/support/op-check.ts';
import {
  matchedInputs,
  plainMatches,
  referenceTargets,
  stack,
  type ReferenceTarget,
} from '../../test/support/reference-batch.ts';
import { loadCase } from '../../test/support/reference-case.ts';
import { float32Tensor, input, makeProgram, symbolicDim, type HostTensor } from '../engine/graph/index.ts';
import type { Session } from '../engine/runtime/runtime.ts';
import { parseModelConfig } from '../models/index.ts';
import { gradients, l2Normalize, scalar } from '../engine/ops/index.ts';
import { parseCriterionConfig, readLosses, traceCriterion, type LossConfig } from './index.ts';

interface Variant {
  readonly targets: readonly ReferenceTarget[];
  readonly losses: Readonly<Record<string, number>>;
  readonly sumOfLosses: number;
  readonly matches: number[][][][];
  readonly matcherOrder: readonly string[];
}

const reference = loadCase('criterion');
const variants = reference.json['variants'] as Readonly<Record<string, Variant>>;

const unweighted = { ce_loss_coef: 1, bbox_loss_coef: 1, giou_loss_coef: 1, contrastive_align_loss_coef: 1 };
const config: LossConfig = {
  ...parseModelConfig({ dec_layers: 2, num_queries: 8, predict_final: true }),
  ...parseCriterionConfig(unweighted),
};

/** The criterion after the normalization of the projections, and the gradients with respect to the outputs before it. All dimensions are symbolic. */
const tracePrograms = () => {
  const [batch, queries, tokens] = ['batch', 'queries', 'tokens'].map(symbolicDim);
  const raw = {
    logits: input('logits', [2, batch!, queries!, 256]),
    boxes: input('boxes', [2, batch!, queries!, 4]),
    isfinal: input('isfinal', [2, batch!, queries!, 1]),
    proj_queries: input('raw_queries', [2, batch!, queries!, 64]),
    proj_tokens: input('raw_tokens', [batch!, tokens!, 64]),
  };
  const criterion = traceCriterion(config, {
    pred_logits: raw.logits,
    pred_boxes: raw.boxes,
    pred_isfinal: raw.isfinal,
    proj_queries: l2Normalize(raw.proj_queries),
    proj_tokens: l2Normalize(raw.proj_tokens),
  });
  const derivatives = gradients([{ tensor: criterion.total, cotangent: scalar(1) }], Object.values(raw));
  const program = makeProgram('criterion', {
    total: criterion.total,
    terms: criterion.terms,
    ...Object.fromEntries(Object.keys(raw).map((name, index) => [`d_${name}`, derivatives[index]!])),
  });
  return { program, termNames: criterion.termNames };
};

const f32 = (name: string): HostTensor => {
  const { shape, data } = reference.typed(name, 'f32');
  return float32Tensor(shape, data);
};

const both = (name: string): HostTensor => stack(reference, [`input.aux.${name}`, `input.last.${name}`]);

describe('the criterion on given predictions, one program for all batches', () => {
  const { program, termNames } = tracePrograms();
  let session: Session;
  beforeAll(async () => {
    session = await runtime.load(program);
  });
  afterAll(() => session.dispose());

  it.each(Object.keys(variants))('%s: targets, matches, losses, gradients', async (name) => {
    const variant = variants[name]!;
    const targets = await referenceTargets(variant.targets, config);
    expect(targets.inputs.positive_map.data).toEqual(reference.f32(`${name}.positive_map`));

    const predictions = { pred_logits: both('logits'), pred_boxes: both('boxes') };
    const { matches, inputs } = matchedInputs(predictions, targets, config);
    const inOrder = variant.matcherOrder.map((layer) => (layer === 'final' ? matches[1]! : matches[0]!));
    expect(plainMatches(inOrder)).toEqual(variant.matches);

    const results = await session.run({
      ...inputs,
      logits: predictions.pred_logits,
      boxes: predictions.pred_boxes,
      isfinal: both('isfinal'),
      raw_queries: both('proj_queries'),
      raw_tokens: f32(`${name}.proj_tokens`),
    });
    const { total, terms } = readLosses(results, termNames);
    expect(Object.keys(terms).sort()).toEqual(Object.keys(variant.losses).sort());
    for (const [term, value] of Object.entries(variant.losses)) expectRelative(terms[term]!, value, term);
    expectRelative(total, variant.sumOfLosses, 'total');

    for (const output of ['logits', 'boxes', 'isfinal', 'proj_queries']) {
      const expected = stack(reference, [`${name}.grad.aux.${output}`, `${name}.grad.last.${output}`]);
      expectGradient(results[`d_${output}`]!, expected);
    }
    expectGradient(results['d_proj_tokens']!, f32(`${name}.grad.proj_tokens`));
  });
});

const expectRelative = (got: number, expected: number, what: string): void => {
  expect(Math.abs(got - expected), `${what} is ${got}, should be ${expected}`).toBeLessThanOrEqual(
    1e-5 * Math.abs(expected),
  );
};

/** Relative to the largest entry, which is far below 1 where there are many boxes. */
const expectGradient = (got: HostTensor, expected: HostTensor): void => {
  const wanted = Array.from(expected.data, Number);
  const scale = Math.max(...wanted.map(Math.abs), 1e-6);
  const relative = (values: Iterable<number | bigint>): number[] =>
    Array.from(values, (value) => Number(value) / scale);
  expectClose(
    { shape: got.shape, dtype: got.dtype, data: relative(got.data) },
    { shape: expected.shape, dtype: 'float32', data: relative(wanted) },
    1e-5,
  );
};

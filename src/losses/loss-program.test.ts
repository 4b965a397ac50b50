import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { runtime } from '../../test/support/op-check.ts';
import {
  matchedInputs,
  plainMatches,
  referenceConfig,
  referenceTargets,
  stack,
  type ReferenceTarget,
} from '../../test/support/reference-batch.ts';
import { loadCase, sharedReference, type ReferenceCase } from '../../test/support/reference-case.ts';
import {
  ceilDivDim,
  float32Tensor,
  symbolicDim,
  type Dim,
  type HostTensor,
  type Shape,
} from '../engine/graph/index.ts';
import { parseModelConfig } from '../models/index.ts';
import {
  answerInputs,
  criterionOutputs,
  lossLayerCount,
  lossWeights,
  maskQueries,
  matchesDim,
  type LayerMatches,
  makeLossProgram,
  parseCriterionConfig,
  readLosses,
  type AnswerLabels,
  type LossConfig,
} from './index.ts';

const carried = 'tiny-clevr-outputs';
const casesDir = join(sharedReference, 'cases');
const shared = existsSync(casesDir)
  ? readdirSync(casesDir).filter((name) => loadCase(join(casesDir, name)).json['lossesF64'] !== undefined)
  : [];

const [batch, tokens, height, width] = ['batch', 'tokens', 'height', 'width'].map(symbolicDim) as [Dim, Dim, Dim, Dim];

/** The shape that the forward program would state for an output of these sizes: batch, captions and images symbolic. */
const symbolicShape = (name: string, shape: readonly number[]): Shape => {
  if (name === 'proj_tokens') return [batch, tokens, shape[2]!];
  if (name === 'pred_masks') return [matchesDim, ceilDivDim(height, 4), ceilDivDim(width, 4)];
  return shape.length === 4 ? [shape[0]!, batch, ...shape.slice(2)] : [batch, ...shape.slice(1)];
};

const unitRows = ({ shape, data }: HostTensor): HostTensor => {
  const row = shape.at(-1)!;
  const values = Array.from(data, Number);
  const norms = Array.from({ length: values.length / row }, (_, k) =>
    Math.hypot(...values.slice(k * row, (k + 1) * row)),
  );
  return float32Tensor(
    shape,
    values.map((value, index) => value / norms[Math.floor(index / row)]!),
  );
};

/** The masks (B, Q, h, w) of all queries, of the matched ones alone. */
const matchedMasks = ({ shape, data }: HostTensor, matches: LayerMatches): HostTensor => {
  const [, queries, height, width] = shape as [number, number, number, number];
  const { indices } = maskQueries(matches, queries);
  const masks = Array.from(indices, (query) =>
    Array.from(data, Number).slice(query * height * width, (query + 1) * height * width),
  );
  return float32Tensor([indices.length, height, width], masks.flat());
};

/** The case's own outputs as the forward program would hand them over. */
const outputsOf = (reference: ReferenceCase, config: LossConfig): Record<string, HostTensor> => {
  const plain = (name: string): HostTensor => {
    const { shape, data } = reference.typed(name, 'f32');
    return float32Tensor(shape, data);
  };
  const outputs: Record<string, HostTensor> = {};
  const layered = ['pred_logits', 'pred_boxes', 'pred_isfinal', 'proj_queries'];
  const prefixes = [...Array.from({ length: lossLayerCount(config) - 1 }, (_, layer) => `aux${layer}.`), ''];
  for (const name of layered)
    if (reference.has(name))
      outputs[name] = stack(
        reference,
        prefixes.map((prefix) => prefix + name),
      );
  for (const name of reference.names)
    if (/^(pred_|proj_)/.test(name) && !layered.includes(name)) outputs[name] = plain(name);
  for (const [name, stored] of [
    ['contrastive_image', 'cache.img_pooled_op'],
    ['contrastive_text', 'cache.text_pooled_op'],
  ] as const)
    if (reference.has(stored)) outputs[name] = unitRows(plain(stored));
  return outputs;
};

const expectCase = async (reference: ReferenceCase): Promise<void> => {
  const { json } = reference;
  const config = referenceConfig(json['args']);
  expect(lossWeights(config)).toEqual(json['weight_dict']);

  const outputs = outputsOf(reference, config);
  const answers = json['answers'] as AnswerLabels | null;
  const inputs: Record<string, HostTensor> = answers === null ? {} : answerInputs(answers);
  if (!config.no_detection) {
    const targets = await referenceTargets(
      json['targets'] as ReferenceTarget[],
      config,
      reference,
      answers ?? undefined,
    );
    expect(targets.inputs.positive_map.data).toEqual(reference.f32('positive_map'));
    const predictions = { pred_logits: outputs['pred_logits']!, pred_boxes: outputs['pred_boxes']! };
    const matched = matchedInputs(predictions, targets, config);
    Object.assign(inputs, matched.inputs);
    if (outputs['pred_masks'] !== undefined)
      outputs['pred_masks'] = matchedMasks(outputs['pred_masks'], matched.matches);
    // The reference has the last layer first.
    expect(plainMatches([...matched.matches.slice(-1), ...matched.matches.slice(0, -1)])).toEqual(json['matches']);
  }

  const shapes = Object.fromEntries(
    Object.entries(outputs).map(([name, { shape }]) => [name, symbolicShape(name, shape)]),
  );
  const { program, termNames, trainedOutputs } = makeLossProgram(config, shapes);
  expect([...trainedOutputs].sort()).toEqual([...criterionOutputs(config)].sort());
  const session = await runtime.load(program);
  try {
    const results = await session.run({ ...outputs, ...inputs });
    const { total, terms } = readLosses(results, termNames);
    const expected = json['losses'] as Record<string, number>;
    expect(Object.keys(terms).sort()).toEqual(Object.keys(expected).sort());
    for (const [name, value] of Object.entries({ ...expected, total: json['total'] as number })) {
      const got = name === 'total' ? total : terms[name]!;
      expect(Math.abs(got - value), `${name} is ${got}, should be ${value}`).toBeLessThanOrEqual(
        1e-5 * Math.abs(value),
      );
    }
    for (const name of trainedOutputs) {
      const derivative = results[`d_${name}`]!;
      expect(derivative.shape, name).toEqual(outputs[name]!.shape);
      const values = Array.from(derivative.data, Number);
      expect(values.every(Number.isFinite), `d_${name} is finite`).toBe(true);
      // A kind of answer that no sample has costs nothing.
      if (!name.startsWith('pred_answer'))
        expect(
          values.some((value) => value !== 0),
          `d_${name} is not 0`,
        ).toBe(true);
    }
  } finally {
    await session.dispose();
  }
};

describe('the loss program on the outputs of a model', () => {
  it(`equals the official weights, matches, losses and total (${carried})`, () => expectCase(loadCase(carried)));

  it.skipIf(shared.length === 0).each(shared.length > 0 ? shared : ['(none here)'])(
    'equals the official weights, matches, losses and total in case %s (needs ../shared/reference)',
    (name) => expectCase(loadCase(join(casesDir, name))),
  );
});

describe('the signature of a loss program', () => {
  const detection = { pred_logits: [6, batch, 100, 256], pred_boxes: [6, batch, 100, 4] };
  const alignment = { proj_queries: [6, batch, 100, 64], proj_tokens: [batch, tokens, 64] };
  const answers = {
    pred_answer_type: [batch, 3],
    pred_answer_binary: [batch],
    pred_answer_attr: [batch, 15],
    pred_answer_reg: [batch, 20],
  };
  const configOf = (values: Record<string, unknown>): LossConfig => ({
    ...parseModelConfig(values),
    ...parseCriterionConfig(values),
  });
  const leaves = (config: LossConfig, shapes: Record<string, Shape>): string[] =>
    makeLossProgram(config, shapes).program.inputs.map(({ name }) => name);

  it('asks for what the config trains on, and nothing else', () => {
    expect(leaves(configOf({}), { ...detection, ...alignment }).sort()).toEqual(
      [
        'alignment_map',
        'box_counts',
        'match_queries',
        'match_targets',
        'num_boxes',
        'positive_map',
        'unmatched',
        'pred_boxes',
        'pred_logits',
        'proj_queries',
        'proj_tokens',
        'target_boxes',
      ].sort(),
    );
    const questions = configOf({ do_qa: true, split_qa_heads: true, qa_dataset: 'clevr', no_detection: true });
    const program = makeLossProgram(questions, { ...detection, ...alignment, ...answers });
    expect(program.trainedOutputs).toEqual(Object.keys(answers));
    expect(leaves(questions, { ...detection, ...alignment, ...answers }).sort()).toEqual(
      Object.keys(answers)
        .flatMap((name) => [name, name.replace('pred_', '')])
        .sort(),
    );
  });

  it('refuses a model that lacks a trained output, has other layers, or trains nothing', () => {
    expect(() => makeLossProgram(configOf({}), detection)).toThrow('needs the model\'s output "proj_tokens"');
    const shallow = configOf({ dec_layers: 3, contrastive_align_loss: false });
    expect(() => makeLossProgram(shallow, detection)).toThrow('takes 3 decoder layers, not 6');
    expect(() => makeLossProgram(configOf({ no_detection: true }), detection)).toThrow('trains nothing');
  });
});

import { input, type Dim, type Tensor } from '../engine/graph/index.ts';
import { concat, literal, mul, reshape, sum } from '../engine/ops/index.ts';
import { lossLayerCount, type LossConfig } from './config.ts';
import type { Loss, LossContext, LossTerms, MatchedLossContext } from './loss.ts';
import { activeLosses, auxiliaryTermName, lossWeights } from './losses.ts';
import { MatchedPairs } from './matched-pairs.ts';

/**
 * Outputs of the model by official name. Outputs of every decoder layer have the layer axis first: `pred_logits`
 * (L, B, Q, 256), `pred_boxes` (L, B, Q, 4), `pred_isfinal` (L, B, Q, 1), `proj_queries` (L, B, Q, 64). The others are
 * `proj_tokens` (B, T, 64), `contrastive_image` and `contrastive_text` (B, 64) of unit length, `pred_answer_type` …
 * (B, answers), and `pred_masks` (M, h, w): masks are predicted for the last layer's matched queries only, in the order
 * of `maskQueries`.
 */
export type ModelOutputs = Readonly<Record<string, Tensor>>;

/** All losses of a training step: matching on the host, and the programs of the terms. */
export interface Criterion {
  /** Official names; terms of the decoder layers before the last have the suffix `_0`, `_1` …. */
  readonly termNames: readonly string[];
  /** (terms) in the order of `termNames`, without their weights. */
  readonly terms: Tensor;
  /** The weighted sum, a scalar. */
  readonly total: Tensor;
}

/**
 * Builds the loss of a batch, all decoder layers at once. Targets and matches become inputs of the graph, whose values
 * come from `lossInputs`.
 *
 * @param losses the losses to compute: all that the config trains by default
 * @throws {Error} when the model lacks an output that a loss reads
 */
export const traceCriterion = (
  config: LossConfig,
  outputs: ModelOutputs,
  losses: readonly Loss[] = activeLosses(config),
): Criterion => {
  const terms = traceTerms(config, outputs, losses);
  if (terms.length === 0) throw new Error('internal: this config trains nothing');
  const termNames = terms.flatMap(([name, values]) => namesOf(name, values));
  const all = concat(
    terms.map(([, values]) => (values.rank === 0 ? reshape(values, [1]) : values)),
    0,
  );
  const weights = lossWeights(config);
  const factors = literal(
    termNames.map((name) => weights[name] ?? 0),
    [termNames.length],
  );
  return { termNames, terms: all, total: sum(mul(all, factors)) };
};

/** The outputs of the model that the trained losses read, and that the total is differentiated with respect to. */
export const criterionOutputs = (config: LossConfig): readonly string[] => [
  ...new Set(activeLosses(config).flatMap(({ inputs }) => inputs.outputs(config))),
];

const traceTerms = (
  config: LossConfig,
  outputs: ModelOutputs,
  losses: readonly Loss[],
): readonly (readonly [name: string, values: Tensor])[] => {
  const target = sharedTargets();
  const contextOf = (loss: Loss): LossContext => ({
    config,
    target,
    output: (name) => {
      if (!loss.inputs.outputs(config).includes(name))
        throw new Error(`internal: the loss "${loss.name}" reads the output "${name}", which its inputs do not list`);
      return required(outputs, name);
    },
  });
  const matching = losses.some(({ isMatched }) => isMatched) ? matchingOf(config, outputs, target) : undefined;
  const terms = losses.map((loss): LossTerms =>
    loss.isMatched ? loss.trace({ ...contextOf(loss), ...matching! }) : loss.trace(contextOf(loss)),
  );
  const entries = terms.flatMap((ofLoss) => Object.entries(ofLoss));
  const names = entries.map(([name]) => name);
  const repeated = names.find((name, index) => names.indexOf(name) < index);
  if (repeated !== undefined) throw new Error(`internal: two losses have the term "${repeated}"`);
  return entries;
};

/** Inputs of the graph by name, each made once however many losses read it. */
const sharedTargets = (): LossContext['target'] => {
  const inputs = new Map<string, Tensor>();
  return (name, shape, dtype) => {
    const tensor = inputs.get(name) ?? input(name, shape, dtype);
    inputs.set(name, tensor);
    return tensor;
  };
};

const matchingOf = (
  config: LossConfig,
  outputs: ModelOutputs,
  target: LossContext['target'],
): Pick<MatchedLossContext, 'pairs' | 'numBoxes'> => {
  const [layers, batch, queries] = required(outputs, 'pred_logits').shape as [number, Dim, Dim];
  if (layers !== lossLayerCount(config))
    throw new Error(`internal: the criterion takes ${lossLayerCount(config)} decoder layers, not ${layers}`);
  return { pairs: new MatchedPairs(layers, batch, queries), numBoxes: target('num_boxes', []) };
};

/** One name for a scalar; of (L) values the last one has the plain name. */
const namesOf = (name: string, values: Tensor): string[] => {
  if (values.rank === 0) return [name];
  const layers = values.shape[0] as number;
  return Array.from({ length: layers }, (_, layer) => (layer === layers - 1 ? name : auxiliaryTermName(name, layer)));
};

const required = (outputs: ModelOutputs, name: string): Tensor => {
  const tensor = outputs[name];
  if (tensor === undefined) throw new Error(`internal: the criterion needs the model's output "${name}"`);
  return tensor;
};

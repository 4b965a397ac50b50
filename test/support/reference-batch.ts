import { join } from 'node:path';
import { float32Tensor, type HostTensor } from '../../src/engine/graph/index.ts';
import {
  boxNormalizer,
  joinTargets,
  lossInputs,
  matchLayers,
  parseCriterionConfig,
  type LayerMatches,
  type LossConfig,
  type AnswerLabels,
  type BatchTargets,
  type SampleTarget,
} from '../../src/losses/index.ts';
import { parseModelConfig } from '../../src/models/index.ts';
import { softmaxRows } from '../../src/postprocess/scored-boxes.ts';
import { createPositiveMap, encodeBatch } from '../../src/text/index.ts';
import { loadTokenizer } from '../../src/text/node/tokenizer-files.ts';
import { fixtureReference, type ReferenceCase } from './reference-case.ts';

/** A target in `case.json`. */
export interface ReferenceTarget {
  readonly caption: string;
  readonly boxes: readonly (readonly number[])[];
  readonly tokens_positive: readonly (readonly (readonly [number, number])[])[];
  readonly isfinal?: readonly number[];
}

const tokenizer = loadTokenizer(join(fixtureReference, 'roberta'));

/**
 * Targets of a reference batch, made from captions and spans.
 *
 * @param masksOf case whose tensors `target<sample>.masks` are the masks
 * @param answers labels of the answer heads
 */
export const referenceTargets = async (
  targets: readonly ReferenceTarget[],
  config: LossConfig,
  masksOf?: ReferenceCase,
  answers?: AnswerLabels,
): Promise<BatchTargets> => {
  const { encodings, T } = encodeBatch(
    await tokenizer,
    targets.map(({ caption }) => caption),
  );
  const samples = targets.map((target, sample): SampleTarget => {
    const masks = masksOf?.has(`target${sample}.masks`) === true ? masksOf.tensor(`target${sample}.masks`) : undefined;
    return {
      boxesCxcywh: Float32Array.from(target.boxes.flat()),
      positiveRows: createPositiveMap(encodings[sample]!, target.tokens_positive),
      tokensPositive: target.tokens_positive,
      isFinal: target.isfinal,
      masks: masks && { data: masks.data as Uint8Array, height: masks.shape[1]!, width: masks.shape[2]! },
      answers: answers && Object.fromEntries(Object.entries(answers).map(([name, labels]) => [name, labels[sample]!])),
    };
  });
  return joinTargets(samples, { encodings, tokens: T }, config);
};

/** Config of a reference case, from its `args`. */
export const referenceConfig = (args: unknown): LossConfig => {
  const values = args as Record<string, unknown>;
  return { ...parseModelConfig(values), ...parseCriterionConfig(values) };
};

/** Stacks tensors of equal shape along a new first axis. */
export const stack = (reference: ReferenceCase, names: readonly string[]): HostTensor => {
  const parts = names.map((name) => reference.typed(name, 'f32'));
  return float32Tensor(
    [names.length, ...parts[0]!.shape],
    Float32Array.from(parts.flatMap(({ data }) => Array.from(data))),
  );
};

/** Matches in the form of `case.json`: queries and boxes for each call of the matcher and each sample. */
export const plainMatches = (matches: LayerMatches): number[][][][] =>
  matches.map((ofLayer) => ofLayer.map(({ queries, targets }) => [[...queries], [...targets]]));

/** Matches a batch and makes the inputs of the loss program, for a single process. */
export const matchedInputs = (
  { pred_logits: logits, pred_boxes }: { readonly pred_logits: HostTensor; readonly pred_boxes: HostTensor },
  targets: BatchTargets,
  config: LossConfig,
): { readonly matches: LayerMatches; readonly inputs: Record<string, HostTensor> } => {
  const [layers, batch, queries] = logits.shape as [number, number, number];
  const probabilities = softmaxRows(logits.data as Float32Array, layers * batch * queries);
  const pred_probabilities = float32Tensor(logits.shape, probabilities);
  const matches = matchLayers({ pred_probabilities, pred_boxes }, targets, config);
  const boxes = targets.boxCounts.reduce((sum, count) => sum + count, 0);
  return { matches, inputs: lossInputs(targets, matches, queries, boxNormalizer(boxes)) };
};

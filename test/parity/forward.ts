import type { HostTensor } from '../../src/engine/graph/index.ts';
import { masksAtOriginalSize, phraseCutResult } from '../../src/postprocess/masks.ts';
import { positiveRowsOf, rankBoxesByPhrase } from '../../src/postprocess/phrase-boxes.ts';
import { postprocessBoxes, softmaxRows, type DetectionOutputs } from '../../src/postprocess/scored-boxes.ts';
import { matchingCost, positiveEntries } from '../../src/matching/cost.ts';
import { matchTargets } from '../../src/matching/matcher.ts';
import { maskToDense } from '../../src/geometry/run-lengths.ts';
import type { Size } from '../../src/geometry/size.ts';
import { MdetrNetwork, parseModelConfig } from '../../src/models/index.ts';
import {
  binaryPositiveMap,
  createPositiveMap,
  encodeBatch,
  normalizedPositiveMap,
  type Tokenizer,
} from '../../src/text/index.ts';
import type { WeightSource } from '../../src/engine/runtime/runtime.ts';
import type { ReferenceCase } from '../support/reference-case.ts';
import { syntheticSource } from '../support/synthetic-weights.ts';
import { Row, TOLERANCES } from './comparison.ts';
import { runEverything, runInference, type Batch, type Outputs } from './programs.ts';

/** Fields of `case.json` that concern the forward pass. */
interface CaseJson {
  readonly args: Readonly<Record<string, unknown>>;
  readonly captions: readonly string[];
  readonly tokens: readonly (readonly string[])[];
  readonly offsets: readonly (readonly (readonly [number, number])[])[];
  readonly targets: readonly {
    readonly boxes: readonly (readonly number[])[];
    readonly tokens_positive: readonly (readonly (readonly [number, number])[])[];
    readonly orig_size: Size;
    readonly size: Size;
  }[];
  readonly matcherOrder?: readonly string[];
  readonly matches?: readonly (readonly (readonly [readonly number[], readonly number[]])[])[];
  readonly flickr_boxes_sorted?: readonly (readonly (readonly (readonly number[])[])[])[];
  readonly phrasecut_keep_boxes?: readonly (readonly (readonly number[])[])[];
}

/** Whether a case has a model and its outputs. */
export const isForwardCase = (reference: ReferenceCase): boolean =>
  reference.has('samples.tensors') && reference.has('pred_logits');

/** Compares a whole case: text, network (both ways of running it), matching, results. */
export const compareCase = async (
  name: string,
  reference: ReferenceCase,
  tokenizer: Tokenizer,
  weightsOf: (model: MdetrNetwork) => WeightSource = syntheticSource,
): Promise<Row> => {
  const row = new Row(name);
  const json = reference.json as unknown as CaseJson;
  const model = new MdetrNetwork(parseModelConfig(json.args, name));
  const batch = batchOf(reference);
  compareText(row, reference, json, tokenizer);
  const outputs = await runInference(model, weightsOf(model), batch);
  compareOutputs(row, reference, outputs);
  const everything = await runEverything(model, weightsOf(model), batch);
  compareLayers(row, reference, everything);
  compareInside(row, reference, model, everything);
  compareMatching(row, reference, json, everything);
  compareResults(row, reference, json, outputs);
  return row;
};

const hostTensor = (reference: ReferenceCase, name: string, dtype: 'float32' | 'bool' | 'int32'): HostTensor => {
  const { shape, data } = reference.tensor(name);
  return { dtype, shape, data } as HostTensor;
};

export const batchOf = (reference: ReferenceCase): Batch => ({
  image: hostTensor(reference, 'samples.tensors', 'float32'),
  padding: hostTensor(reference, 'samples.mask', 'bool'),
  inputIds: hostTensor(reference, 'input_ids', 'int32'),
  attentionMask: hostTensor(reference, 'attention_mask', 'int32'),
});

/** Token ids, strings, offsets, and positive maps, from the captions. */
const compareText = (row: Row, reference: ReferenceCase, json: CaseJson, tokenizer: Tokenizer): void => {
  const text = row.in('text', TOLERANCES.exact);
  const { inputIds, attentionMask, encodings } = encodeBatch(tokenizer, json.captions);
  text.equal('input_ids', [...inputIds], [...reference.i32('input_ids')]);
  text.equal('attention_mask', [...attentionMask], [...reference.i32('attention_mask')]);
  encodings.forEach(({ tokens, offsets, ids }, sample) => {
    text.equal(`tokens of ${sample}`, tokens, json.tokens[sample]!.slice(0, ids.length));
    text.equal(`offsets of ${sample}`, offsets, json.offsets[sample]!.slice(0, ids.length));
  });
  if (!reference.has('positive_map')) return;
  const rows = json.targets.flatMap(({ tokens_positive: spans }, sample) =>
    createPositiveMap(encodings[sample]!, spans),
  );
  text.equal('positive_map', [...binaryPositiveMap(rows)], [...reference.f32('positive_map')]);
  const normalized = reference.f32('positive_map_normalised_before_collate');
  text.equal('normalized positive map', [...normalizedPositiveMap(rows)], [...normalized]);
};

/** Columns of the outputs, by the beginning of their official name. */
export const columnOf = (name: string): string => {
  if (name === 'pred_boxes') return 'boxes';
  if (name === 'pred_masks') return 'mask logits';
  if (name.startsWith('pred_answer')) return 'answers';
  return name.startsWith('proj_') ? 'projections' : 'logits';
};

const outputNames = (reference: ReferenceCase): string[] =>
  reference.names.filter((name) => /^(pred|proj)_/.test(name));

/** The main outputs of the compiled programs. */
const compareOutputs = (row: Row, reference: ReferenceCase, outputs: Outputs): void => {
  for (const name of outputNames(reference)) {
    const column = columnOf(name);
    const cell = row.in(column, column === 'boxes' ? TOLERANCES.boxes : TOLERANCES.values);
    cell.tensors(name, outputs[name]?.data as Float32Array | undefined, reference.f32(name));
  }
};

/** One decoder layer of a stacked value (L, …). */
const layerOf = (value: HostTensor, layer: number): Float32Array => {
  const size = value.data.length / value.shape[0]!;
  return (value.data as Float32Array).subarray(layer * size, (layer + 1) * size);
};

/** Outputs of every decoder layer, from the program that returns all intermediate values. */
const compareLayers = (row: Row, reference: ReferenceCase, everything: Outputs): void => {
  for (const name of reference.names) {
    const [, layer, output] = /^(?:aux(\d+)\.)?((?:pred|proj)_\w+)$/.exec(name) ?? [];
    if (output === undefined || output === 'pred_masks') continue;
    const value = everything[output]!;
    const isPerText = output === 'proj_tokens' || output.startsWith('pred_answer');
    const found = isPerText ? value.data : layerOf(value, layer === undefined ? value.shape[0]! - 1 : Number(layer));
    const cell = row.in(columnOf(output), output === 'pred_boxes' ? TOLERANCES.boxes : TOLERANCES.values);
    cell.tensors(`${name} (all layers)`, found as Float32Array, reference.f32(name));
  }
};

/** (S, B, D) → (B, S, D): the official transformer has the sequence first. */
const batchFirst = ({ shape, data }: { shape: readonly number[]; data: Float32Array }): Float32Array => {
  const [length, batch, features] = shape as [number, number, number];
  const result = new Float32Array(data.length);
  for (let s = 0; s < length; s++)
    for (let b = 0; b < batch; b++) {
      const from = (s * batch + b) * features;
      result.set(data.subarray(from, from + features), (b * length + s) * features);
    }
  return result;
};

/** The encoder's outputs, and intermediate activations. */
const compareInside = (row: Row, reference: ReferenceCase, model: MdetrNetwork, everything: Outputs): void => {
  const cell = row.in('inside', TOLERANCES.values);
  const compare = (name: string, found: string, sequenceFirst: boolean): void => {
    if (!reference.has(name)) return;
    const expected = reference.typed(name, 'f32');
    cell.tensors(name, everything[found]?.data as Float32Array, sequenceFirst ? batchFirst(expected) : expected.data);
  };
  const { enc_layers: encoderLayers } = model.config;
  compare('cache.text_memory_resized', 'text_memory_resized', true);
  compare('cache.text_memory', 'text_memory', true);
  compare('cache.img_memory', 'memory', true);
  compare('cache.pos_embed', 'positions', true);
  for (const name of ['text_pooled_op', 'img_pooled_op']) {
    if (!reference.has(`cache.${name}`)) continue;
    // The official cache holds the projections before they are scaled to unit length.
    const { shape, data } = reference.typed(`cache.${name}`, 'f32');
    cell.tensors(`cache.${name}`, everything[name]!.data as Float32Array, unitRows(data, shape.at(-1)!));
  }
  compare('act.input_proj', 'src', false);
  compare(`act.encoder.layer${encoderLayers - 1}`, 'memory', true);
  const stages = Object.keys(everything).filter((name) => name.startsWith('stage'));
  for (const [index, stage] of stages.entries())
    compare(`act.backbone.layer${index + 5 - stages.length}`, stage, false);
  if (reference.has('cache.mask'))
    row
      .in('padding', TOLERANCES.exact)
      .equal('cache.mask', everything['padding_mask']!.data, reference.u8('cache.mask'));
  if (!reference.has('act.decoder.hs_layers_seqfirst')) return;
  const { shape, data } = reference.typed('act.decoder.hs_layers_seqfirst', 'f32');
  const size = data.length / shape[0]!;
  for (let layer = 0; layer < shape[0]!; layer++) {
    const expected = batchFirst({ shape: shape.slice(1), data: data.subarray(layer * size, (layer + 1) * size) });
    const found = everything[`hs${layer}`]!;
    // The official tensor has the question queries after the others; the detection queries are compared here.
    cell.tensors(`hs of layer ${layer}`, found.data as Float32Array, firstQueries(expected, shape, found.shape[1]!));
  }
};

const unitRows = (values: Float32Array, width: number): Float32Array =>
  values.map((value, index) => {
    const row = values.subarray(index - (index % width), index - (index % width) + width);
    return value / Math.hypot(...row);
  });

/** The first `count` queries of every sample: data (B, Q′, D), shape (L, Q′, B, D). */
const firstQueries = (data: Float32Array, shape: readonly number[], count: number): Float32Array => {
  const [, queries, batch, features] = shape as [number, number, number, number];
  if (count === queries) return data;
  const rows = Array.from({ length: batch }, (_, b) => b * queries * features);
  return Float32Array.from(rows.flatMap((from) => Array.from(data.subarray(from, from + count * features))));
};

/** Matching costs within the tolerance, assignments exactly. */
const compareMatching = (row: Row, reference: ReferenceCase, json: CaseJson, everything: Outputs): void => {
  if (json.matches === undefined || !reference.has('cost.final')) return;
  const targetBoxes = Float32Array.from(json.targets.flatMap(({ boxes }) => boxes.flat()));
  const { pred_logits: logits, pred_boxes: boxes } = everything as Record<string, HostTensor>;
  const [layers, batch, queries, classes] = logits!.shape as [number, number, number, number];
  const positives = positiveEntries(reference.f32('positive_map'), classes);
  json.matcherOrder!.forEach((which, call) => {
    const layer = which === 'final' ? layers - 1 : Number(which.slice('aux'.length));
    const probabilities = softmaxRows(layerOf(logits!, layer), batch * queries);
    const found = matchTargets({
      probabilities,
      predBoxes: layerOf(boxes!, layer),
      targetBoxes,
      positives,
      targetCounts: json.targets.map((target) => target.boxes.length),
    });
    const pairs = found.map((match) => [[...match.queries], [...match.targets]]);
    row.in('matching', TOLERANCES.exact).equal(`assignment, ${which}`, pairs, json.matches![call]);
    // The official cost matrix has a column for every box of the batch, for each sample.
    const cost = json.targets.map((_, sample) =>
      matchingCost({
        probabilities: rowOf(probabilities, sample, json.targets.length),
        boxes: rowOf(layerOf(boxes!, layer), sample, json.targets.length),
        targetBoxes,
        positives,
      }),
    );
    const total = cost.flatMap((one) => [...one]);
    if (total.length !== json.targets.length * queries * (targetBoxes.length / 4)) throw new Error('internal: cost');
    row.in('cost', TOLERANCES.values).tensors(`cost.${which}`, total, reference.f32(`cost.${which}`));
  });
};

const rowOf = (values: Float32Array, row: number, rows: number): Float32Array => {
  const size = values.length / rows;
  return values.subarray(row * size, (row + 1) * size);
};

/** Boxes in pixels, scores, phrase ranking, masks at the size of the file. */
const compareResults = (row: Row, reference: ReferenceCase, json: CaseJson, outputs: Outputs): void => {
  const batch = json.targets.length;
  const part = (name: string, sample: number): Float32Array =>
    rowOf(outputs[name]!.data as Float32Array, sample, batch);
  let firstPhrase = 0;
  const phraseRows = reference.has('positive_map') ? positiveRowsOf(reference.f32('positive_map')) : [];
  json.targets.forEach(({ orig_size: [height, width], size: resized, boxes: targetBoxes }, sample) => {
    if (!reference.has(`postprocess${sample}.scores`)) return;
    const size = { height, width };
    const detection: DetectionOutputs = {
      logits: part('pred_logits', sample),
      boxes: part('pred_boxes', sample),
      isFinal: outputs['pred_isfinal'] === undefined ? undefined : part('pred_isfinal', sample),
    };
    const { scores, boxes, scoresRefexp } = postprocessBoxes(detection, size);
    const results = row.in('results', TOLERANCES.values);
    results.tensors(`scores of ${sample}`, scores, reference.f32(`postprocess${sample}.scores`));
    results.tensors(`boxes of ${sample}`, boxes, reference.f32(`postprocess${sample}.boxes`));
    if (reference.has(`postprocess${sample}.scores_refexp`))
      results.tensors(`refexp of ${sample}`, scoresRefexp, reference.f32(`postprocess${sample}.scores_refexp`));
    const phrases = phraseRows.slice(firstPhrase, (firstPhrase += targetBoxes.length));
    if (json.flickr_boxes_sorted !== undefined) {
      // From the official outputs: scores that differ only by rounding may be ranked differently.
      const official: DetectionOutputs = {
        logits: rowOf(reference.f32('pred_logits'), sample, batch),
        boxes: rowOf(reference.f32('pred_boxes'), sample, batch),
      };
      const ranking = rankBoxesByPhrase(official, size, phrases).map((ranked) => ranked.map(({ box }) => box));
      results.tensors(`phrases of ${sample}`, ranking.flat(2), json.flickr_boxes_sorted[sample]!.flat(2));
    }
    if (outputs['pred_masks'] !== undefined)
      compareMasks(row, reference, json, { sample, logits: outputs['pred_masks'], scores, boxes, resized });
  });
};

interface MaskInputs {
  readonly sample: number;
  readonly logits: HostTensor;
  readonly scores: Float32Array;
  readonly boxes: Float32Array;
  readonly resized: Size;
}

const compareMasks = (row: Row, reference: ReferenceCase, json: CaseJson, inputs: MaskInputs): void => {
  const { sample, logits, scores, boxes, resized } = inputs;
  const [, queries, height, width] = logits.shape as [number, number, number, number];
  const original = json.targets[sample]!.orig_size;
  const [, , paddedHeight, paddedWidth] = reference.tensor('samples.tensors').shape as [number, number, number, number];
  const masks = masksAtOriginalSize(
    { data: rowOf(logits.data as Float32Array, sample, json.targets.length), queries, height, width },
    { padded: [paddedHeight, paddedWidth], resized, original },
  );
  const expected = reference.u8(`postprocess${sample}.masks`);
  const pixels = original[0] * original[1];
  let flips = 0;
  masks.forEach((mask, query) =>
    maskToDense(mask).forEach((bit, pixel) => (flips += bit === expected[query * pixels + pixel] ? 0 : 1)),
  );
  row.in('mask pixels', TOLERANCES.flips).note(`masks of ${sample}`, flips / expected.length).count += expected.length;
  const kept = json.phrasecut_keep_boxes?.[sample];
  if (kept === undefined) return;
  const { boxesXywh } = phraseCutResult({ scores, boxesXyxy: boxes, masks }, original);
  row.in('results', TOLERANCES.values).tensors(`PhraseCut boxes of ${sample}`, boxesXywh.flat(), kept.flat());
};

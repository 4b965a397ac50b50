import { describe, expect, it } from 'vitest';
import { parseModelConfig } from '../models/index.ts';
import type { HostTensor } from '../engine/graph/index.ts';
import {
  joinTargets,
  lossInputs,
  NO_LABEL,
  parseCriterionConfig,
  type LossConfig,
  type CaptionTokens,
  type SampleTarget,
} from './index.ts';

const configOf = (values: Record<string, unknown>): LossConfig => ({
  ...parseModelConfig({ contrastive_align_loss: false, ...values }),
  ...parseCriterionConfig(values),
});
const config = configOf({});
const aligned = (values: Record<string, unknown>): LossConfig => configOf({ ...values, contrastive_align_loss: true });

/** A caption of tokens of the given lengths, separated by spaces; token 0 is special. */
const caption = (...lengths: number[]): CaptionTokens['encodings'][number] => {
  const tokens = lengths.flatMap((length, token) => [...Array<number>(length).fill(token + 1), undefined]);
  return { charToToken: (char) => tokens[char] };
};

const sample = (spans: readonly (readonly (readonly [number, number])[])[]): SampleTarget => ({
  boxesCxcywh: new Float32Array(4 * spans.length).fill(0.5),
  positiveRows: spans.map((_, box) => ({ count: box + 1, tokens: Array.from({ length: box + 1 }, (__, k) => k + 1) })),
  tokensPositive: spans,
});

/** Columns of the non-zero entries of each row of a matrix. */
const rowsOf = ({ shape: [rows, width], data }: HostTensor): number[][] =>
  Array.from({ length: rows! }, (_, row) =>
    Array.from(data as Float32Array)
      .slice(row * width!, (row + 1) * width!)
      .flatMap((value, column) => (value !== 0 ? [column] : [])),
  );

describe('the targets of a batch', () => {
  it('has token weights of 1, or of 1 / count, as configured', () => {
    const samples = [sample([[[0, 1]], [[0, 1]]])];
    const { positive_map: binary } = joinTargets(samples, undefined, config).inputs;
    expect(binary.shape).toEqual([2, 256]);
    expect(rowsOf(binary)).toEqual([[1], [1, 2]]);
    const { positive_map: weights } = joinTargets(samples, undefined, configOf({ positive_map: 'normalized' })).inputs;
    const tokens = Array.from(weights.data as Float32Array).slice(256 + 1, 256 + 3);
    expect(tokens).toEqual([0.5, 0.5].map((value) => Math.fround(value - 2.5e-7)));
  });

  it('retries a span in the first caption as the official code does, or in its own', () => {
    const encodings = [caption(3, 4, 5), caption(6, 7)];
    const spans = [[[3, 8]], [[6, 13]]] as const; // each begins on the space of its caption
    const samples = [sample([spans[0]]), sample([spans[1]])];
    const mapOf = (captions: CaptionTokens['encodings'], values: Record<string, unknown>): HostTensor =>
      joinTargets(samples, { tokens: 5, encodings: captions }, aligned(values)).inputs['alignment_map']!;
    const official = mapOf(encodings, {});
    // 7 of the second caption is looked up in the first, where it is token 2; the span ends in the second's token 2.
    expect(official.shape).toEqual([2, 5]);
    expect(rowsOf(official)).toEqual([[2], [2]]);
    const shifted = [caption(3, 2, 5), caption(6, 7)]; // now it is the first caption's token 3, after the span's end
    expect(rowsOf(mapOf(shifted, {}))[1]).toEqual([]);
    expect(rowsOf(mapOf(shifted, { align_fallback: 'own_caption' }))[1]).toEqual([2]);
  });

  it('skips spans without tokens and retries that fall off the front', () => {
    const encodings = [{ charToToken: () => undefined }];
    const { inputs } = joinTargets([sample([[[0, 1]]])], { tokens: 3, encodings }, aligned({}));
    expect(inputs['alignment_map']!.shape).toEqual([1, 3]);
    expect(rowsOf(inputs['alignment_map']!)).toEqual([[]]);
  });

  it('pads masks to the largest of the batch', () => {
    const masked = (data: number[], height: number, width: number): SampleTarget => ({
      ...sample(data.length === 0 ? [] : [[]]),
      masks: { data: Uint8Array.from(data), height, width },
    });
    const samples = [masked([1, 1], 1, 2), masked([], 1, 3), masked([1, 1], 2, 1)];
    const { target_masks: masks } = joinTargets(samples, undefined, configOf({ mask_model: 'smallconv' })).inputs;
    expect(masks!.shape).toEqual([2, 2, 3]);
    // prettier-ignore
    expect([...masks!.data]).toEqual([
      1, 1, 0,
      0, 0, 0,

      1, 0, 0,
      1, 0, 0,
    ]);
  });

  it('makes the inputs of the trained losses only, and refuses lists of other lengths', () => {
    const whole = { ...sample([[]]), isFinal: [1] };
    const withFinal = configOf({ predict_final: true });
    expect(joinTargets([whole, whole], undefined, withFinal).inputs['target_isfinal']!.data).toEqual(
      Float32Array.of(1, 1),
    );
    const names = ['target_boxes', 'positive_map', 'box_counts'];
    expect(Object.keys(joinTargets([whole, sample([[]])], undefined, config).inputs)).toEqual(names);
    expect(() => joinTargets([whole, { ...whole, isFinal: [] }], undefined, config)).toThrow(
      'sample 1 of the batch has 1 boxes, but isFinal for 0',
    );
  });

  it('says which sample lacks what the config trains on', () => {
    const whole = { ...sample([[]]), isFinal: [1] };
    expect(() => joinTargets([whole, sample([[]])], undefined, configOf({ predict_final: true }))).toThrow(
      'sample 1 of the batch has no isfinal marks, which predict_final needs',
    );
    const { tokensPositive: _, ...bare } = sample([[]]);
    expect(() => joinTargets([bare], undefined, configOf({ contrastive_align_loss: true }))).toThrow('tokens_positive');
    expect(() => joinTargets([whole], undefined, configOf({ mask_model: 'smallconv' }))).toThrow('no masks');
  });

  it('has a label for every answer head and sample', () => {
    const samples = [{ ...sample([[]]), answers: { answer_type: 1, answer_attr: 4 } }, sample([])];
    const clevr = configOf({ do_qa: true, split_qa_heads: true, qa_dataset: 'clevr' });
    const { inputs } = joinTargets(samples, undefined, clevr);
    expect(inputs['answer_type']).toEqual({ dtype: 'int32', shape: [2], data: Int32Array.of(1, NO_LABEL) });
    expect(inputs['answer_attr']!.data).toEqual(Int32Array.of(4, NO_LABEL));
    expect(inputs['answer_binary']!.data).toEqual(Float32Array.of(NO_LABEL, NO_LABEL));
    const joint = joinTargets([sample([])], undefined, configOf({ do_qa: true, qa_dataset: 'gqa' }));
    expect(joint.inputs['answer']!.data).toEqual(Int32Array.of(NO_LABEL));
  });

  it('becomes indices into all queries and all boxes of the batch', () => {
    const targets = joinTargets([sample([[], []]), sample([]), sample([[]])], undefined, config);
    const match = (queries: number[], boxes: number[]) => ({
      queries: Int32Array.from(queries),
      targets: Int32Array.from(boxes),
    });
    const matches = [
      [match([0, 3], [1, 0]), match([], []), match([2], [0])],
      [match([1, 2], [0, 1]), match([], []), match([0], [0])],
    ];
    const inputs = lossInputs(targets, matches, 4, 3);
    expect(inputs['match_queries']).toEqual({ dtype: 'int32', shape: [2, 3], data: Int32Array.of(0, 3, 10, 1, 2, 8) });
    expect(inputs['match_targets']).toEqual({ dtype: 'int32', shape: [2, 3], data: Int32Array.of(1, 0, 2, 0, 1, 2) });
    expect(inputs['unmatched']!.shape).toEqual([2, 3, 4]);
    expect(inputs['unmatched']!.data).toEqual(
      // prettier-ignore
      Float32Array.of(
        0, 1, 1, 0, 1, 1, 1, 1, 1, 1, 0, 1,
        1, 0, 0, 1, 1, 1, 1, 1, 0, 1, 1, 1,
      ),
    );
    expect(inputs['box_counts']!.data).toEqual(Float32Array.of(2, 0, 1));
    expect(inputs['num_boxes']).toEqual({ dtype: 'float32', shape: [], data: Float32Array.of(3) });
  });
});

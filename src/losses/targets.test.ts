import { describe, expect, it } from 'vitest';
import { parseModelConfig } from '../models/index.ts';
import {
  joinTargets,
  lossInputs,
  parseCriterionConfig,
  type LossConfig,
  type SampleTarget,
  type TokenLookup,
} from './index.ts';

const configOf = (values: Record<string, unknown>): LossConfig => ({
  ...parseModelConfig({ contrastive_align_loss: false, ...values }),
  ...parseCriterionConfig(values),
});
const config = configOf({});

/** Tokens of the given lengths with one space between them; token 0 is special. */
const caption = (...lengths: number[]): TokenLookup => {
  const tokens = lengths.flatMap((length, token) => [...Array<number>(length).fill(token + 1), undefined]);
  return { charToToken: (char) => tokens[char] };
};

const sample = (spans: readonly (readonly (readonly [number, number])[])[]): SampleTarget => ({
  boxesCxcywh: new Float32Array(4 * spans.length).fill(0.5),
  positiveRows: spans.map((_, box) => ({ count: box + 1, tokens: Array.from({ length: box + 1 }, (__, k) => k + 1) })),
  tokensPositive: spans,
});

const rowsOf = (map: Float32Array, width: number): number[][] =>
  Array.from({ length: map.length / width }, (_, row) =>
    Array.from(map.subarray(row * width, (row + 1) * width)).flatMap((value, at) => (value !== 0 ? [at] : [])),
  );

describe('the targets of a batch', () => {
  it('has token weights of 1, or of 1 / count, as configured', () => {
    const samples = [sample([[[0, 1]], [[0, 1]]])];
    expect(rowsOf(joinTargets(samples, undefined, config).positiveMap, 256)).toEqual([[1], [1, 2]]);
    const shares = joinTargets(samples, undefined, configOf({ positive_map: 'normalized' })).positiveMap;
    expect([...shares.subarray(256 + 1, 256 + 3)]).toEqual([0.5, 0.5].map((share) => Math.fround(share - 2.5e-7)));
  });

  it('retries a span in the first caption as the official code does, or in its own', () => {
    const encodings = [caption(3, 4, 5), caption(6, 7)];
    const spans = [[[3, 8]], [[6, 13]]] as const; // each begins on the space of its caption
    const samples = [sample([spans[0]]), sample([spans[1]])];
    const official = joinTargets(samples, { tokens: 5, encodings }, config).alignment!;
    // 7 of the second caption is looked up in the first, where it is token 2; the span ends in the second's token 2.
    expect(official.tokens).toBe(5);
    expect(rowsOf(official.map, 5)).toEqual([[2], [2]]);
    const shifted = [caption(3, 2, 5), caption(6, 7)]; // now it is the first caption's token 3, after the span's end
    expect(rowsOf(joinTargets(samples, { tokens: 5, encodings: shifted }, config).alignment!.map, 5)[1]).toEqual([]);
    const own = configOf({ align_fallback: 'own_caption' });
    expect(rowsOf(joinTargets(samples, { tokens: 5, encodings: shifted }, own).alignment!.map, 5)[1]).toEqual([2]);
  });

  it('skips spans without tokens and retries that fall off the front', () => {
    const encodings = [{ charToToken: () => undefined }];
    const { alignment } = joinTargets([sample([[[0, 1]]])], { tokens: 3, encodings }, config);
    expect(rowsOf(alignment!.map, 3)).toEqual([[]]);
  });

  it('pads masks to the largest of the batch', () => {
    const masked = (data: number[], height: number, width: number): SampleTarget => ({
      ...sample(data.length === 0 ? [] : [[]]),
      masks: { data: Uint8Array.from(data), height, width },
    });
    const { masks } = joinTargets([masked([1, 1], 1, 2), masked([], 1, 3), masked([1, 1], 2, 1)], undefined, config);
    expect(masks).toMatchObject({ height: 2, width: 3 });
    expect([...masks!.data]).toEqual([...[1, 1, 0, 0, 0, 0], ...[1, 0, 0, 1, 0, 0]]);
  });

  it('leaves out of the whole batch what one of its samples lacks, and refuses lists of other lengths', () => {
    const whole = { ...sample([[]]), isFinal: [1] };
    expect(joinTargets([whole, whole], undefined, config).isFinal).toEqual(Float32Array.of(1, 1));
    expect(joinTargets([whole, sample([[]])], undefined, config).isFinal).toBeUndefined();
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
      Float32Array.from([...[0, 1, 1, 0, 1, 1, 1, 1, 1, 1, 0, 1], ...[1, 0, 0, 1, 1, 1, 1, 1, 0, 1, 1, 1]]),
    );
    expect(inputs['box_counts']!.data).toEqual(Float32Array.of(2, 0, 1));
    expect(inputs['num_boxes']).toEqual({ dtype: 'float32', shape: [], data: Float32Array.of(3) });
  });
});

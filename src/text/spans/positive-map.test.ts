import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import { hasCase, loadCase, loadReferenceJson, referencePath } from '../../../test/support/reference-case.ts';
import { binaryPositiveMap, createPositiveMap, normalizedPositiveMap } from './positive-map.ts';
import type { CodePointSpan } from './span.ts';
import { createTokenizerFromVocab, encodeBatch, type Tokenizer } from '../tokenizer/tokenizer.ts';

let roberta: Tokenizer;
beforeAll(() => {
  const vocab: unknown = loadReferenceJson('roberta/vocab.json');
  roberta = createTokenizerFromVocab(vocab, readFileSync(referencePath('roberta/merges.txt'), 'utf8'));
});

interface PositiveMapCase {
  readonly caption: string;
  readonly tokens_positive: CodePointSpan[][];
  readonly rows?: Readonly<Record<string, number>>[];
  readonly error?: string;
}
const { positiveMaps } = loadReferenceJson('tokenizer/positive_maps.json') as { positiveMaps: PositiveMapCase[] };

describe('createPositiveMap', () => {
  it.each(positiveMaps.map((entry, index) => [index, entry.caption.slice(0, 30), entry] as const))(
    'equals the official map %i: %s',
    (_index, _caption, { caption, tokens_positive: spans, rows, error }) => {
      const encoding = roberta.encode(caption);
      if (error !== undefined) {
        expect(() => createPositiveMap(encoding, spans)).toThrow('must begin at 0 or later and end at 1 or later');
        return;
      }
      const map = createPositiveMap(encoding, spans);
      const dense = normalizedPositiveMap(map);
      const binary = binaryPositiveMap(map);
      expect(map).toHaveLength(rows!.length);
      rows!.forEach((row, box) => {
        const expected = new Float32Array(256);
        for (const [token, value] of Object.entries(row)) expected[Number(token)] = value;
        expect(dense.slice(box * 256, (box + 1) * 256)).toEqual(expected);
        expect(binary.slice(box * 256, (box + 1) * 256)).toEqual(expected.map((value) => (value > 0 ? 1 : 0)));
        expect(map[box]!.count).toBe(map[box]!.tokens.length);
      });
    },
  );

  it('refuses spans that are no ranges, by box', () => {
    const encoding = roberta.encode('a dog');
    expect(() => createPositiveMap(encoding, [[[0, 1]], [[-1, 2]]])).toThrow('Span [-1, 2) of box 2');
    expect(() => createPositiveMap(encoding, [[[0, NaN]]])).toThrow('Span [0, NaN) of box 1');
  });
});

describe.each(['tiny', 'tiny-final', 'r101'])('case %s (needs ../shared/reference or its copy)', (name) => {
  it.skipIf(!hasCase(name))('has the same tokens, offsets, ids and positive maps', () => {
    const reference = loadCase(name);
    const { captions, tokens, offsets, targets } = reference.json as {
      captions: string[];
      tokens: string[][];
      offsets: number[][][];
      targets: { tokens_positive: CodePointSpan[][] }[];
    };
    const { inputIds, attentionMask, encodings, T } = encodeBatch(roberta, captions);
    expect([...inputIds]).toEqual([...reference.i32('input_ids')]);
    expect([...attentionMask]).toEqual([...reference.i32('attention_mask')]);
    encodings.forEach((encoding, b) => {
      const padding = T - encoding.ids.length;
      expect([...encoding.tokens, ...Array<string>(padding).fill('<pad>')]).toEqual(tokens[b]);
      expect([...encoding.offsets, ...Array<number[]>(padding).fill([0, 0])]).toEqual(offsets[b]);
    });
    const rows = targets.flatMap((target, b) => createPositiveMap(encodings[b]!, target.tokens_positive));
    expect(normalizedPositiveMap(rows)).toEqual(reference.f32('positive_map_normalised_before_collate'));
    expect(binaryPositiveMap(rows)).toEqual(reference.f32('positive_map'));
  });
});

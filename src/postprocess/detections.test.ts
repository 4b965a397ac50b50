import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import { loadReferenceJson, referencePath } from '../../test/support/reference-case.ts';
import { codePointLength, createTokenizerFromVocab, type Encoding } from '../text/index.ts';
import { detectionsOf, referredDetectionOf } from './detections.ts';

const caption = 'a man in a red coat 🧥 and his dog';
const size = { height: 100, width: 200 };
let encoding: Encoding;
beforeAll(() => {
  const vocab: unknown = loadReferenceJson('roberta/vocab.json');
  const merges = readFileSync(referencePath('roberta/merges.txt'), 'utf8');
  encoding = createTokenizerFromVocab(vocab, merges).encode(caption);
});

/** Outputs of queries that give the named words `score` evenly and the rest to "no object". */
const outputsOf = (queries: readonly { words: readonly string[]; score: number; isFinal?: number }[]) => {
  const logits = new Float32Array(queries.length * 256).fill(-50);
  const boxes = new Float32Array(queries.length * 4);
  queries.forEach(({ words, score }, query) => {
    for (const word of words) {
      const before = caption.slice(0, caption.indexOf(word));
      const token = encoding.charToToken(codePointLength(before))!;
      logits[query * 256 + token] = Math.log(score / words.length);
    }
    logits[query * 256 + 255] = Math.log(1 - score);
    boxes.set([0.5, 0.5, 0.1 * (query + 1), 0.2], query * 4);
  });
  const isFinal = Float32Array.from(queries, (query) => query.isFinal ?? 0);
  return { logits, boxes, isFinal };
};

describe('detectionsOf', () => {
  it('gives boxes above the threshold, best first, with their phrases in UTF-16 positions', () => {
    const outputs = outputsOf([
      { words: ['man'], score: 0.8 },
      { words: ['red'], score: 0.2 },
      { words: ['his', 'dog'], score: 0.95 },
    ]);
    const found = detectionsOf(outputs, size, encoding);
    expect(found.map(({ query }) => query)).toEqual([2, 0]);
    expect(found[0]!.score).toBeCloseTo(0.95, 5);
    expect(found[0]!.spans).toHaveLength(1);
    const { start, end, text, score } = found[0]!.spans[0]!;
    expect([caption.slice(start, end), text]).toEqual(['his dog', 'his dog']);
    expect(score).toBeCloseTo(0.95, 5);
    expect(found[1]!.spans.map((span) => span.text)).toEqual(['a man']);
    found[1]!.box.forEach((value, i) => expect(value).toBeCloseTo([90, 40, 110, 60][i]!, 4));
  });

  it('gives an empty list when nothing is found', () => {
    expect(detectionsOf(outputsOf([{ words: ['dog'], score: 0.69 }]), size, encoding)).toEqual([]);
    expect(detectionsOf(outputsOf([]), size, encoding)).toEqual([]);
  });

  it('has a threshold for boxes and one for phrases', () => {
    const outputs = outputsOf([{ words: ['man', 'red', 'dog'], score: 0.6 }]);
    expect(detectionsOf(outputs, size, encoding, { threshold: 0.5 })[0]!.spans).toHaveLength(3);
    expect(detectionsOf(outputs, size, encoding, { threshold: 0.5, spanThreshold: 0.3 })[0]!.spans).toEqual([]);
  });
});

describe('referredDetectionOf', () => {
  const queries = [
    { words: ['man'], score: 0.9, isFinal: -3 },
    { words: ['dog'], score: 0.6, isFinal: 2 },
  ];

  it('weighs the score with the probability of being final', () => {
    const best = referredDetectionOf(outputsOf(queries), size, encoding);
    expect(best).toMatchObject({ query: 1, spans: [{ text: 'dog' }] });
    expect(best!.scoreRefexp).toBeCloseTo(0.6 / (1 + Math.exp(-2)), 5);
  });

  it('takes the score alone without that head, and always answers unless told otherwise', () => {
    const outputs = { ...outputsOf(queries), isFinal: undefined };
    expect(referredDetectionOf(outputs, size, encoding)).toMatchObject({ query: 0 });
    expect(referredDetectionOf(outputs, size, encoding, { threshold: 0.95 })).toBeUndefined();
    const weak = outputsOf([{ words: ['dog'], score: 0.01 }]);
    expect(referredDetectionOf(weak, size, encoding)).toMatchObject({ query: 0 });
    expect(referredDetectionOf(outputsOf([]), size, encoding)).toBeUndefined();
  });
});

import { readFileSync } from 'node:fs';
import { describe, expect, expectTypeOf, it } from 'vitest';
import type * as z from 'zod';
import { MdetrError } from '../errors.ts';
import {
  answerResultSchema,
  detectionResultSchema,
  parseResult,
  referResultSchema,
  resultsJsonSchema,
} from './schema.ts';
import type { AnswerResult, DetectionResult, ReferResult } from './types.ts';

/** A type without `readonly`, at every depth, so that only keys and values are compared. */
type Mutable<T> = T extends object ? { -readonly [Key in keyof T]: Mutable<T[Key]> } : T;

describe('the form of results', () => {
  it('is the same as types and as schema', () => {
    expectTypeOf<Mutable<DetectionResult>>().toEqualTypeOf<Mutable<z.infer<typeof detectionResultSchema>>>();
    expectTypeOf<Mutable<ReferResult>>().toEqualTypeOf<Mutable<z.infer<typeof referResultSchema>>>();
    expectTypeOf<Mutable<AnswerResult>>().toEqualTypeOf<Mutable<z.infer<typeof answerResultSchema>>>();
  });

  it('is published as JSON Schema (npm run schemas writes it)', () => {
    const path = new URL('../../schemas/results.schema.json', import.meta.url);
    expect(JSON.parse(readFileSync(path, 'utf8'))).toEqual(resultsJsonSchema());
  });
});

describe('parseResult', () => {
  const result: DetectionResult = {
    version: 1,
    model: 'default',
    image: 'a.jpg',
    width: 4,
    height: 3,
    caption: 'a dog',
    captionIndex: 0,
    detections: [],
    phrases: [{ text: 'a dog', start: 0, end: 5, score: 0.3, detections: [] }],
    warnings: [],
    timing: { preprocess: 1, model: 2, postprocess: 3 },
  };

  it('accepts a result', () => expect(parseResult(result)).toEqual(result));

  it('accepts further keys of later releases', () =>
    expect(parseResult({ ...result, timing_ms: result.timing })).toMatchObject({ caption: 'a dog' }));

  it('refuses a newer version by name', () =>
    expect(() => parseResult({ ...result, version: 2 }, 'r.jsonl, line 3')).toThrow(
      'r.jsonl, line 3: has version 2; this release reads results up to version 1. Update mdetr.',
    ));

  it('names the key that is wrong', () => {
    expect(() => parseResult({ ...result, width: 0 })).toThrow(MdetrError);
    expect(() => parseResult({ ...result, detections: [{}] }, 'line 1')).toThrow(
      'line 1: is not a result of mdetr: detections.0.box:',
    );
    expect(() => parseResult(7)).toThrow('is not a result');
  });
});

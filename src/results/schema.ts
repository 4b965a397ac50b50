import * as z from 'zod';
import { MdetrError } from '../errors.ts';
import { firstIssue } from '../options/first-issue.ts';
import { withMeasures } from './measures.ts';
import { RESULTS_VERSION, type AnswerResult, type DetectionResult, type ReferResult } from './types.ts';

/**
 * Schemas of results. Readers accept further keys, so that a later release may add some. `--json` also prints `timing_ms`
 * (equal to `timing`) and `score_refexp` (equal to `scoreRefexp`), the names of releases before 0.2.
 */

const probability = z.number().min(0).max(1);
const index = z.int().min(0);
const box = z.tuple([z.number(), z.number(), z.number(), z.number()]);

const spanSchema = z.object({
  start: index.describe('First UTF-16 unit of the caption'),
  end: index.describe('One past the last UTF-16 unit'),
  text: z.string(),
  score: z.number().min(0).describe("Sum of the query's probabilities over the phrase's tokens"),
});

const maskSchema = z.object({
  size: z.tuple([z.int(), z.int()]).describe('height, width'),
  counts: z.string().describe('COCO run lengths, packed'),
});

const detectionSchema = z.object({
  box: box.describe('x0, y0, x1, y1 in pixels'),
  clampedBox: box.describe('The box clamped to the image'),
  xywh: box.describe('x, y, width, height of the clamped box in pixels'),
  xywhn: box.describe('The same as fractions of the width and height of the image'),
  area: z.number().min(0).describe('Pixels of the mask if there is one, else of the clamped box'),
  score: probability.describe('1 − P(no object)'),
  label: z.string().describe('Text of the best span; empty when there is none'),
  spans: z.array(spanSchema).describe('Phrases that the box stands for, best first'),
  query: index.describe('Index of the decoder query'),
  mask: maskSchema.optional(),
  polygons: z.array(z.array(z.number())).optional().describe('Outlines of the mask: x0, y0, x1, y1, … in pixels'),
  embedding: z.array(z.number()).optional().describe('Embedding of the query'),
});

const referredSchema = detectionSchema.extend({
  scoreRefexp: probability.describe('Score × P(is final) where the model has that head, else the score'),
});

const phraseSchema = z.object({
  text: z.string(),
  start: index,
  end: index,
  score: z.number().min(0),
  present: z.boolean().optional().describe('Whether the image shows it; absent for models without calibration'),
  detections: z.array(index).describe('Indices into detections'),
});

const timingSchema = z
  .object({ preprocess: z.number().min(0), model: z.number().min(0), postprocess: z.number().min(0) })
  .describe('Milliseconds');

const base = {
  version: z.literal(RESULTS_VERSION).describe('Version of this form'),
  model: z.string().describe('Name of the model'),
  image: z.string().describe('Path or name of the image'),
  width: z.int().min(1).describe('Width of the original image in pixels'),
  height: z.int().min(1).describe('Height of the original image in pixels'),
  caption: z.string(),
  captionIndex: index.describe('Index of the caption among those of the same image in the same call'),
  threshold: probability.optional().describe('Score that the detections exceed'),
  detections: z.array(detectionSchema).describe('Objects with a score above the threshold, best first'),
  phrases: z.array(phraseSchema).describe('Phrases of the caption, in its order'),
  bestBelowThreshold: detectionSchema.optional().describe('The best object, when no score is above the threshold'),
  warnings: z.array(z.string()),
  timing: timingSchema,
  packageVersion: z.string().optional().describe('Version of the package that wrote the result'),
};

/** Result of `detect`. */
export const detectionResultSchema = z.object(base);

/** Result of `refer`. */
export const referResultSchema = z.object({
  ...base,
  expression: z.string(),
  best: referredSchema.nullable().describe('Null when a threshold was given and no score is above it'),
});

const answerSchema = z.object({ answer: z.string(), probability });

/** Result of `ask`. */
export const answerResultSchema = z.object({
  ...base,
  ...answerSchema.shape,
  question: z.string(),
  type: z.enum(['obj', 'attr', 'rel', 'global', 'cat', 'binary', 'reg']).nullable(),
  answers: z.array(answerSchema).describe('The most probable answers of that kind, best first'),
});

/** The published JSON Schema (draft 2020-12) of results, one definition per command. */
export const resultsJsonSchema = (): Record<string, unknown> => {
  const definitionOf = (schema: z.ZodType): Record<string, unknown> => {
    const { $schema: _, ...definition } = z.toJSONSchema(schema, { io: 'input' });
    return definition;
  };
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: `mdetr results, version ${RESULTS_VERSION}`,
    description: 'One object per image and caption, as `mdetr detect|refer|ask --json` prints it, one per line.',
    anyOf: ['answer', 'refer', 'detection'].map((name) => ({ $ref: `#/$defs/${name}` })),
    $defs: {
      detection: definitionOf(detectionResultSchema),
      refer: definitionOf(referResultSchema),
      answer: definitionOf(answerResultSchema),
    },
  };
};

/**
 * Checks a result that was read from JSON.
 *
 * @param where names the source in errors: `results.jsonl, line 3`
 * @throws {MdetrError} for a newer version, and for a value that is no result, with the key that is wrong
 */
export const parseResult = (json: unknown, where = 'result'): DetectionResult | ReferResult | AnswerResult => {
  const version = typeof json === 'object' && json !== null && 'version' in json ? json.version : undefined;
  if (typeof version === 'number' && version > RESULTS_VERSION)
    throw new MdetrError(
      `${where}: has version ${version}; this release reads results up to version ${RESULTS_VERSION}. Update mdetr.`,
    );
  const has = (key: string): boolean => typeof json === 'object' && json !== null && key in json;
  const schema = has('question') ? answerResultSchema : has('expression') ? referResultSchema : detectionResultSchema;
  const parsed = schema.safeParse(withMeasures(json));
  if (parsed.success) return parsed.data;
  const { field, message } = firstIssue(parsed.error);
  throw new MdetrError(`${where}: is not a result of mdetr:${field === '' ? '' : ` ${field}:`} ${message}`);
};

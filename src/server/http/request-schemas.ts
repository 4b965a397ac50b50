import * as z from 'zod';
import type { TaskName } from '../worker/messages.ts';

/** Maximum length of a caption in UTF-16 units; the text encoder's limit, in tokens, is lower. */
const MAX_TEXT_LENGTH = 4000;

/** Keys of a task's captions, expressions or questions: one string, and a list. */
export const TEXT_KEYS: Readonly<Record<TaskName, readonly [one: string, several: string]>> = {
  detect: ['caption', 'captions'],
  refer: ['expression', 'expressions'],
  ask: ['question', 'questions'],
};

const optionShape = {
  model: z.string().min(1).max(200).optional().describe('Name of a model, see GET /v1/models; by default the first'),
  threshold: z.number().min(0).max(1).optional().describe("Score that a detection must exceed; by default the model's"),
  spanThreshold: z.number().min(0).max(1).optional().describe('Minimum probability of a phrase'),
  masks: z.boolean().optional().describe('Also predict masks; needs a model with the segmentation head'),
  truncate: z
    .boolean()
    .optional()
    .describe('Truncate captions that are too long for the model instead of rejecting them'),
  name: z.string().max(200).optional().describe('Name of the image in results; by default the name of the file'),
};

/** Options of a request, apart from image and captions. */
export const requestOptionsSchema = z.strictObject(optionShape);

/** Schema of one caption. */
export const textSchema = z.string().min(1).max(MAX_TEXT_LENGTH);
const image = z
  .string()
  .min(1)
  .describe('Bytes of an image file in base64, a data URL, or, where the server allows it, an http or https URL');

/** Schema of captions: a string, or a list. */
export const textsSchema = (maxTexts: number) => ({
  one: textSchema,
  several: z.array(textSchema).min(1).max(maxTexts),
});

/** JSON body of a task with one caption, or with a list. */
export const jsonBodySchema = (task: TaskName, maxTexts: number, kind: 'one' | 'several') => {
  const key = TEXT_KEYS[task][kind === 'one' ? 0 : 1];
  return z.strictObject({ image, [key]: textsSchema(maxTexts)[kind], ...optionShape });
};

/** Schemas that the bodies of a task are validated with. */
export interface BodySchemas {
  /** JSON with one caption. */
  readonly one: z.ZodType<Record<string, unknown>>;
  /** JSON with a list of captions. */
  readonly several: z.ZodType<Record<string, unknown>>;
  /** Captions of a multipart body, under their key. */
  readonly texts: z.ZodType<Record<string, string[]>>;
}

/** Makes the schemas of a task, which zod compiles at their first use: they are made once for a server. */
export const bodySchemas = (task: TaskName, maxTexts: number): BodySchemas => ({
  one: jsonBodySchema(task, maxTexts, 'one'),
  several: jsonBodySchema(task, maxTexts, 'several'),
  texts: z.object({ [TEXT_KEYS[task][0]]: textsSchema(maxTexts).several }),
});

/** Fields of a multipart body as the OpenAPI document shows them. */
export const multipartBodySchema = (task: TaskName, maxTexts: number) =>
  z.strictObject({
    image: z.string().meta({ format: 'binary' }).describe('An image file (JPEG, PNG, WebP, GIF, TIFF, AVIF, BMP)'),
    [TEXT_KEYS[task][0]]: textsSchema(maxTexts).several.describe('One or more; the field may be repeated'),
    ...optionShape,
  });

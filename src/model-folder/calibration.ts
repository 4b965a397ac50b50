import * as z from 'zod';
import { MdetrError } from '../errors.ts';
import { firstIssue } from '../options/first-issue.ts';

/** Key of a model's `config.json` that holds its calibration. */
export const CALIBRATION_KEY = 'calibration';

const probability = z.number().min(0).max(1);
const count = z.int().min(0);

const dataSchema = z.looseObject({
  name: z.string(),
  images: count,
  captions: count,
  boxes: count,
  present_phrases: count,
  absent_phrases: count,
  made_absent: z.boolean().optional(),
  f1: probability.optional(),
  present_found: probability.optional(),
  absent_found: probability.optional(),
});

const calibrationSchema = z.looseObject({
  threshold: probability,
  presence: probability,
  data: dataSchema,
});

/** Data that a calibration comes from, and how well its two numbers fit them. */
export interface CalibrationData {
  /** File or folder name of the data. */
  readonly name: string;
  /** Number of images. */
  readonly images: number;
  /** Number of captions. */
  readonly captions: number;
  /** Number of boxes. */
  readonly boxes: number;
  /** Number of phrases for which the image has an object. */
  readonly present_phrases: number;
  /** Number of phrases for which the image has no object. */
  readonly absent_phrases: number;
  /** The absent phrases are those of other images. */
  readonly made_absent?: boolean | undefined;
  /** F1 of the detections at the threshold (IoU 0.5). */
  readonly f1?: number | undefined;
  /** Fraction of the present phrases that count as present. */
  readonly present_found?: number | undefined;
  /** Fraction of the absent phrases that count as absent. */
  readonly absent_found?: number | undefined;
}

/** Calibration of a model: two numbers, and the data that they come from. */
export interface Calibration {
  /** Score that a detection must exceed: the default of `detect`. */
  readonly threshold: number;
  /** Score above which a phrase of the caption counts as present in the image. */
  readonly presence: number;
  /** Data that it was measured on. */
  readonly data: CalibrationData;
}

/**
 * Calibration in the values of a `config.json`; undefined if there is none.
 *
 * @param source names the file in errors
 * @throws {MdetrError} if the key has another form
 */
export const calibrationOf = (values: Readonly<Record<string, unknown>>, source: string): Calibration | undefined => {
  const value = values[CALIBRATION_KEY];
  if (value === undefined || value === null) return undefined;
  const parsed = calibrationSchema.safeParse(value);
  if (parsed.success) return parsed.data;
  const { field, message } = firstIssue(parsed.error);
  const path = field === '' ? CALIBRATION_KEY : `${CALIBRATION_KEY}.${field}`;
  throw new MdetrError(`${source}: "${path}" ${message}; make it again with: mdetr calibrate`);
};

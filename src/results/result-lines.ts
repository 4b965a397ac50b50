import type { AnswerResult, DetectionResult, ReferResult, ReferredObject, Timing } from './types.ts';

/**
 * The JSON objects that commands print, one per line, and the server answers: results in the form of `schemas/results.schema.json`. Besides, the
 * keys `timing_ms` and `score_refexp` repeat `timing` and `scoreRefexp` for readers written before that form.
 */

/** Outputs of the network are 32-bit floats: digits beyond the eighth carry no information. */
const rounded = (value: unknown): unknown => {
  if (typeof value === 'number') return Number.isFinite(value) ? Number(value.toPrecision(8)) : null;
  if (Array.isArray(value)) return value.map((item) => rounded(item) ?? null);
  if (typeof value !== 'object' || value === null) return value;
  // As in JSON, an undefined value is no key.
  const entries = Object.entries(value).filter(([, part]) => part !== undefined);
  return Object.fromEntries(entries.map(([key, part]) => [key, rounded(part)]));
};

const tenths = ({ preprocess, model, postprocess }: Timing): Timing => {
  const round = (ms: number): number => Math.round(ms * 10) / 10;
  return { preprocess: round(preprocess), model: round(model), postprocess: round(postprocess) };
};

/** The keys that every result begins and ends with, around those of its kind. */
const line = (result: DetectionResult, own: Readonly<Record<string, unknown>>): Record<string, unknown> => {
  const { image, width, height, caption, captionIndex, threshold, detections, phrases, bestBelowThreshold } = result;
  const timing = tenths(result.timing);
  const body = {
    image,
    width,
    height,
    caption,
    captionIndex,
    threshold,
    ...own,
    detections,
    phrases,
    bestBelowThreshold,
  };
  const { warnings, model, version, packageVersion } = result;
  return { ...(rounded(body) as typeof body), warnings, model, version, packageVersion, timing, timing_ms: timing };
};

/** A result of `detect` as `--json` prints it. */
export const detectionLine = (result: DetectionResult): Record<string, unknown> => line(result, {});

/** A result of `refer` as `--json` prints it. */
export const referLine = (result: ReferResult): Record<string, unknown> =>
  line(result, { expression: result.expression, best: result.best === null ? null : withOldName(result.best) });

const withOldName = (best: ReferredObject): ReferredObject & { readonly score_refexp: number } => ({
  ...best,
  score_refexp: best.scoreRefexp,
});

/** A result of `ask` as `--json` prints it. */
export const answerLine = (result: AnswerResult): Record<string, unknown> => {
  const { question, answer, probability, type, answers } = result;
  return line(result, { question, answer, probability, type, answers });
};

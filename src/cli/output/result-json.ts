import type { AnswerResult, DetectedObject, DetectionResult, ReferResult, Timing } from '../../inference/results.ts';

/** The JSON objects that commands print, one a line. Boxes are x0 y0 x1 y1 in pixels of the original picture. */

/** Numbers of the network are 32-bit floats: more digits than these say nothing. */
const short = (value: number): number => Number(value.toPrecision(8));

const detectionJson = ({ box, score, spans, mask }: DetectedObject): Record<string, unknown> => ({
  box: box.map(short),
  score: short(score),
  spans: spans.map((span) => ({ start: span.start, end: span.end, text: span.text, score: short(span.score) })),
  ...(mask === undefined ? {} : { mask: { size: mask.size, counts: mask.counts } }),
});

const timingJson = ({ preprocess, model, postprocess }: Timing): Record<string, number> => {
  const tenths = (ms: number): number => Math.round(ms * 10) / 10;
  return { preprocess: tenths(preprocess), model: tenths(model), postprocess: tenths(postprocess) };
};

export const detectionLine = (image: string, result: DetectionResult): Record<string, unknown> => ({
  image,
  width: result.width,
  height: result.height,
  caption: result.caption,
  detections: result.detections.map(detectionJson),
  timing_ms: timingJson(result.timingMs),
});

export const referLine = (image: string, result: ReferResult): Record<string, unknown> => ({
  image,
  width: result.width,
  height: result.height,
  caption: result.expression,
  best:
    result.best === undefined ? null : { ...detectionJson(result.best), score_refexp: short(result.best.scoreRefexp) },
  detections: result.detections.map(detectionJson),
  timing_ms: timingJson(result.timingMs),
});

export const answerLine = (image: string, result: AnswerResult): Record<string, unknown> => ({
  image,
  width: result.width,
  height: result.height,
  question: result.question,
  answer: result.answer,
  probability: short(result.probability),
  type: result.type ?? null,
  answers: result.answers.map(({ answer, probability }) => ({ answer, probability: short(probability) })),
  detections: result.detections.map(detectionJson),
  timing_ms: timingJson(result.timingMs),
});

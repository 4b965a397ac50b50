import { boxCxcywhToXyxy, type BoxXyxy } from '../geometry/boxes.ts';
import { MdetrError } from '../errors.ts';

/**
 * Scores and boxes from the model's outputs, as the official post-processors compute them. Values are rounded to float32
 * where the official code has float32.
 */

/** Outputs of the last decoder layer for one sample. */
export interface DetectionOutputs {
  /** (Q, 256) class logits: 255 token slots, then "no object". */
  readonly logits: Float32Array;
  /** (Q, 4) boxes after the sigmoid: center x, center y, width, height, relative to the image without padding. */
  readonly boxes: Float32Array;
  /** (Q) or (Q, 1) logits of "the expression refers to this object", with `predict_final`. */
  readonly isFinal?: Float32Array | undefined;
}

/** Size of the original image in pixels. */
export interface ImageSize {
  /** Height in pixels. */
  readonly height: number;
  /** Width in pixels. */
  readonly width: number;
}

/** Scores and boxes of the queries of one caption. */
export interface ScoredBoxes {
  /** (Q, 256) softmax of the logits. */
  readonly probabilities: Float32Array;
  /** (Q) 1 − P(no object). */
  readonly scores: Float32Array;
  /** (Q, 4) x0, y0, x1, y1 in pixels of the original image; not clamped to it. */
  readonly boxes: Float32Array;
  /** (Q) score × P(is final), with `predict_final`. */
  readonly scoresRefexp?: Float32Array;
}

/**
 * Scores and boxes in pixels, as the official `PostProcess` computes them.
 *
 * @throws {MdetrError} if the outputs are not finite, which would otherwise look like "nothing found"
 */
export const postprocessBoxes = (outputs: DetectionOutputs, size: ImageSize): ScoredBoxes => {
  const Q = outputs.boxes.length / 4;
  const probabilities = softmaxRows(outputs.logits, Q);
  const K = Q === 0 ? 0 : probabilities.length / Q;
  const scores = new Float32Array(Q);
  for (let query = 0; query < Q; query++) scores[query] = 1 - probabilities[(query + 1) * K - 1]!;
  const boxes = boxesCxcywhToXyxyPx(outputs.boxes, size);
  for (const values of [scores, boxes])
    if (!values.every(Number.isFinite))
      throw new MdetrError("The model's outputs are not finite; its weights or the image tensor are damaged.");
  const { isFinal } = outputs;
  if (isFinal === undefined) return { probabilities, scores, boxes };
  checkLength('isFinal', isFinal.length, Q);
  const scoresRefexp = scores.map((score, query) => score * Math.fround(sigmoid(isFinal[query]!)));
  return { probabilities, scores, boxes, scoresRefexp };
};

/** Softmax of each row of a (rows, classes) matrix. The largest value is subtracted first, so nothing overflows. */
export const softmaxRows = (logits: Float32Array, rows: number): Float32Array => {
  const columns = rows === 0 ? 0 : logits.length / rows;
  checkLength('logits', logits.length, rows * Math.floor(columns));
  const result = new Float32Array(logits.length);
  // In double precision until they are divided, as if they were computed twice.
  const exponentials = new Float64Array(columns);
  for (let begin = 0; begin < logits.length; begin += columns) {
    let largest = -Infinity;
    for (let i = 0; i < columns; i++) largest = Math.max(largest, logits[begin + i]!);
    let sum = 0;
    for (let i = 0; i < columns; i++) sum += exponentials[i] = Math.exp(logits[begin + i]! - largest);
    for (let i = 0; i < columns; i++) result[begin + i] = exponentials[i]! / sum;
  }
  return result;
};

/** Logistic function. */
export const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));

/** Converts boxes (Q, 4) from relative cxcywh to xyxy in pixels. */
export const boxesCxcywhToXyxyPx = (boxes: Float32Array, { height, width }: ImageSize): Float32Array => {
  checkLength('boxes', boxes.length, 4 * Math.floor(boxes.length / 4));
  const corners = boxCxcywhToXyxy(boxes, 'float32');
  return Float32Array.from(corners, (value, i) => value * (i % 2 === 0 ? width : height));
};

/** Row `query` of (Q, 4) boxes. */
export const boxAt = (boxes: Float32Array, query: number): BoxXyxy => [
  boxes[4 * query]!,
  boxes[4 * query + 1]!,
  boxes[4 * query + 2]!,
  boxes[4 * query + 3]!,
];

/** Indices sorted by descending score; equal scores keep their order. */
export const byFallingScore = (scores: ArrayLike<number>): number[] =>
  Array.from({ length: scores.length }, (_, index) => index).sort((a, b) => scores[b]! - scores[a]! || a - b);

const checkLength = (name: string, length: number, wanted: number): void => {
  if (length !== wanted) throw new Error(`internal: ${name} has ${length} values instead of ${wanted}`);
};

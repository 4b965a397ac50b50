import * as z from 'zod';
import type { ValueSchema } from '../options/value-schema.ts';
import { MdetrError } from '../errors.ts';
import { firstIssue } from '../options/first-issue.ts';

/*
 * Predictions as plain JSON: one object on each line, after a first line that names the format. Boxes are in pixels of
 * the original image, [x0, y0, x1, y1], unless a field says otherwise.
 */

const id = z.union([z.number(), z.string()]);
const box = z.tuple([z.number(), z.number(), z.number(), z.number()]);
const rle = z.object({
  size: z.tuple([z.number().int(), z.number().int()]).readonly(),
  counts: z.union([z.string(), z.array(z.number()).readonly()]),
});

const schemas = {
  /** One sentence: for each phrase with boxes, in the order of the sentence, all boxes from best to worst. */
  flickr: z.object({ image_id: id, sentence_id: z.number().int(), boxes: z.array(z.array(box)) }),
  /** One expression. `scores_refexp` is the score times the probability of being the referred object (CLEVR-Ref+). */
  refexp: z.object({
    image_id: id,
    scores: z.array(z.number()),
    boxes: z.array(box),
    scores_refexp: z.array(z.number()).optional(),
  }),
  /** One phrase. Its boxes are [x, y, width, height]; `mask` is the union of the kept masks. */
  phrasecut: z.object({ original_id: id, task_id: z.string(), boxes: z.array(box), mask: rle.optional() }),
  /** One answer, as the GQA server and the official code write it. */
  gqa: z.object({ questionId: id, prediction: z.string(), type: z.string().optional() }),
  /** One answer. */
  clevr: z.object({ questionId: id, prediction: z.string(), type: z.string().optional() }),
  /** Detections of one image; `labels` are category ids, 1 for all in a class-agnostic evaluation. */
  coco: z.object({
    image_id: id,
    scores: z.array(z.number()),
    labels: z.array(z.number().int()).optional(),
    boxes: z.array(box).optional(),
    masks: z.array(rle).optional(),
  }),
  /** Detections of one image for some or all categories; an image may occur again with other categories. */
  lvis: z.object({
    image_id: id,
    scores: z.array(z.number()),
    labels: z.array(z.number().int()),
    boxes: z.array(box).optional(),
    masks: z.array(rle).optional(),
  }),
} as const satisfies { readonly [Name in keyof PredictionFormats]: z.ZodType<PredictionFormats[Name]> };

/** A file format of predictions: the name in its first line, and the schema of every other line. */
export interface PredictionFormat<Prediction> {
  /** Name in messages. */
  readonly name: string;
  /** Check of one prediction. */
  readonly schema: ValueSchema<Prediction>;
}

/** The formats of the built-in benchmarks. */
export const PREDICTION_FORMATS = Object.fromEntries(
  Object.entries(schemas).map(([name, schema]) => [name, { name, schema }]),
) as unknown as { readonly [Name in keyof PredictionFormats]: PredictionFormat<PredictionFormats[Name]> };

/** Four numbers of a box. */
export type PredictedBox = [number, number, number, number];

/** A mask in COCO run lengths. */
export interface PredictedMask {
  /** Height and width in pixels. */
  size: readonly [height: number, width: number];
  /** Run lengths in column order, as numbers or in COCO's text form. */
  counts: string | readonly number[];
}

/** One sentence of Flickr30k: for each phrase with boxes, all boxes (x0, y0, x1, y1) from best to worst. */
export interface FlickrPrediction {
  /** Id of the image. */
  image_id: number | string;
  /** Index of the sentence among those of the image. */
  sentence_id: number;
  /** Boxes of each phrase as x0, y0, x1, y1, best first. */
  boxes: PredictedBox[][];
}

/** One referring expression. */
export interface RefexpPrediction {
  /** Id of the row. */
  image_id: number | string;
  /** (N) scores of the boxes. */
  scores: number[];
  /** Boxes as x0, y0, x1, y1. */
  boxes: PredictedBox[];
  /** Score × P(is final), for CLEVR-Ref+. */
  scores_refexp?: number[] | undefined;
}

/** One phrase of PhraseCut. */
export interface PhraseCutPrediction {
  /** Id of the image. */
  original_id: number | string;
  /** Id of the phrase. */
  task_id: string;
  /** Boxes as x, y, width, height. */
  boxes: PredictedBox[];
  /** Union of the kept masks. */
  mask?: PredictedMask | undefined;
}

/** One answer, as the GQA server and the official code write it. */
export interface AnswerPrediction {
  /** Id of the question in the data set's files. */
  questionId: number | string;
  /** Predicted answer. */
  prediction: string;
  /** Predicted type of the question. */
  type?: string | undefined;
}

/** Detections of one image; `labels` are category ids, 1 for all in a class-agnostic evaluation. */
export interface DetectionPrediction {
  /** Id of the image. */
  image_id: number | string;
  /** (N) scores. */
  scores: number[];
  /** (N) category ids. */
  labels?: number[] | undefined;
  /** (N, 4) boxes as x0, y0, x1, y1, in pixels. */
  boxes?: PredictedBox[] | undefined;
  /** (N) masks at the size of the image. */
  masks?: PredictedMask[] | undefined;
}

/** Detections of one image for some or all categories; an image may occur again with other categories. */
export interface LvisPrediction {
  /** Id of the image. */
  image_id: number | string;
  /** (N) scores. */
  scores: number[];
  /** (N) category ids. */
  labels: number[];
  /** (N, 4) boxes as x0, y0, x1, y1, in pixels. */
  boxes?: PredictedBox[] | undefined;
  /** (N) masks at the size of the image. */
  masks?: PredictedMask[] | undefined;
}

/** Predictions of the built-in benchmarks by their format. */
export interface PredictionFormats {
  /** Boxes of the phrases of a sentence. */
  flickr: FlickrPrediction;
  /** Ranked boxes of an expression. */
  refexp: RefexpPrediction;
  /** Boxes and mask of a phrase. */
  phrasecut: PhraseCutPrediction;
  /** Answer to a question of GQA. */
  gqa: AnswerPrediction;
  /** Answer to a question of CLEVR. */
  clevr: AnswerPrediction;
  /** Detections of an image. */
  coco: DetectionPrediction;
  /** Detections of an image. */
  lvis: LvisPrediction;
}

/** First line of a file of predictions, without the line break. */
export const predictionHeader = ({ name }: PredictionFormat<unknown>): string =>
  JSON.stringify({ mdetr_predictions: name });

/** Checks the lines of a file of predictions, one at a time and in order. */
export class PredictionParser<Prediction> {
  private line = 0;

  /** @param source name of the file in error messages */
  constructor(
    private readonly format: PredictionFormat<Prediction>,
    private readonly source: string,
  ) {}

  /**
   * Parses the next line.
   *
   * @returns undefined for the first line and for blank lines
   * @throws {MdetrError} when the file has another format, or naming the wrong line and field
   */
  parse(text: string): Prediction | undefined {
    this.line++;
    if (this.line > 1 && text.trim() === '') return undefined;
    // Editors can write a byte order mark.
    const value = this.parseJson(this.line === 1 ? text.replace(/^\uFEFF/, '') : text);
    if (this.line === 1) {
      this.checkHeader(value);
      return undefined;
    }
    const parsed = this.format.schema.safeParse(value);
    if (parsed.success) return parsed.data;
    const { field, message } = firstIssue(parsed.error);
    throw new MdetrError(`${this.source}, line ${this.line}: ${field === '' ? '' : `"${field}": `}${message}.`);
  }

  /** Call it after the last line. @throws {MdetrError} when there was none */
  end(): void {
    if (this.line === 0) throw new MdetrError(`${this.source} is empty; expected predictions for ${this.format.name}.`);
  }

  private parseJson(text: string): unknown {
    try {
      return JSON.parse(text) as unknown;
    } catch (error) {
      throw new MdetrError(`${this.source}, line ${this.line} is not JSON; the file may be truncated.`, {
        cause: error,
      });
    }
  }

  private checkHeader(value: unknown): void {
    const { name } = this.format;
    const found =
      typeof value === 'object' && value !== null && 'mdetr_predictions' in value ? value.mdetr_predictions : undefined;
    if (found === name) return;
    throw new MdetrError(
      typeof found === 'string'
        ? `${this.source} holds predictions for ${found}, not for ${name}.`
        : `${this.source} does not begin with ${predictionHeader(this.format)}: it is not a file of saved predictions.`,
    );
  }
}

/**
 * Parses saved predictions (`mdetr evaluate --save-predictions`) that are in memory.
 *
 * @example
 *   const predictions = parsePredictions(await readFile('refcoco.jsonl', 'utf8'), PREDICTION_FORMATS.refexp);
 *
 * @param source name of the file in error messages
 * @throws {MdetrError} when the text has another format, or naming the wrong line and field
 */
export const parsePredictions = <Prediction>(
  text: string,
  format: PredictionFormat<Prediction>,
  source = 'predictions',
): Prediction[] => {
  const parser = new PredictionParser(format, source);
  const predictions: Prediction[] = [];
  for (const line of text === '' ? [] : text.split(/\r?\n/)) {
    const prediction = parser.parse(line);
    if (prediction !== undefined) predictions.push(prediction);
  }
  parser.end();
  return predictions;
};

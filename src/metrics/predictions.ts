import { createReadStream } from 'node:fs';
import { open, stat, type FileHandle } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { z } from 'zod';
import { fileReason, MdetrError } from '../errors.ts';

/*
 * What a model says, per task, as plain JSON: one object per line after a first line that names the task. Boxes are
 * pixels of the original image, x0 y0 x1 y1, unless a field says otherwise.
 */

const id = z.union([z.number(), z.string()]);
const box = z.tuple([z.number(), z.number(), z.number(), z.number()]);
const rle = z.object({
  size: z.tuple([z.number().int(), z.number().int()]).readonly(),
  counts: z.union([z.string(), z.array(z.number()).readonly()]),
});

/** One schema per task; the types below are read off them. */
export const predictionSchemas = {
  /** One sentence: for every phrase that has boxes, in the order of the sentence, all boxes from best to worst. */
  flickr: z.object({ image_id: id, sentence_id: z.number().int(), boxes: z.array(z.array(box)) }),
  /** One expression. `scores_refexp` is the score times the probability of being the one meant (CLEVR-Ref+). */
  refexp: z.object({
    image_id: id,
    scores: z.array(z.number()),
    boxes: z.array(box),
    scores_refexp: z.array(z.number()).optional(),
  }),
  /** One phrase. Boxes here are x, y, width, height; `mask` is the union of the kept masks. */
  phrasecut: z.object({ original_id: id, task_id: z.string(), boxes: z.array(box), mask: rle.optional() }),
  /** One answer, as the GQA server and the official code write it. */
  gqa: z.object({ questionId: id, prediction: z.string(), type: z.string().optional() }),
  /** One answer. */
  clevr: z.object({ questionId: id, prediction: z.string(), type: z.string().optional() }),
  /** One image's detections; `labels` are category ids, 1 for all in a class-agnostic evaluation. */
  coco: z.object({
    image_id: id,
    scores: z.array(z.number()),
    labels: z.array(z.number().int()).optional(),
    boxes: z.array(box).optional(),
    masks: z.array(rle).optional(),
  }),
  /** One image's detections of some or all categories; an image may come again with other categories. */
  lvis: z.object({
    image_id: id,
    scores: z.array(z.number()),
    labels: z.array(z.number().int()),
    boxes: z.array(box).optional(),
    masks: z.array(rle).optional(),
  }),
} as const;

export type PredictionTask = keyof typeof predictionSchemas;
export type Prediction<Task extends PredictionTask> = z.infer<(typeof predictionSchemas)[Task]>;
export type FlickrPrediction = Prediction<'flickr'>;
export type RefexpPrediction = Prediction<'refexp'>;
export type PhraseCutPrediction = Prediction<'phrasecut'>;
export type AnswerPrediction = Prediction<'gqa'>;
export type DetectionPrediction = Prediction<'coco'>;
export type LvisPrediction = Prediction<'lvis'>;

interface Header {
  readonly mdetr_predictions: string;
}

/** Bytes, about, that are gathered before they go to the file. */
const chunkLength = 1 << 16;

/** Writes predictions of one task to a file, line by line. */
export class PredictionWriter<Task extends PredictionTask> {
  private constructor(
    readonly path: string,
    private readonly file: FileHandle,
    private pending: string,
  ) {}

  /** Starts the file anew. @throws {MdetrError} when it cannot be written */
  static async create<Task extends PredictionTask>(path: string, task: Task): Promise<PredictionWriter<Task>> {
    const header = `${JSON.stringify({ mdetr_predictions: task } satisfies Header)}\n`;
    return new PredictionWriter(path, await writing(path, open(path, 'w')), header);
  }

  /**
   * Goes on with the file of a run that was interrupted; a line that was cut off is dropped. `onSaved` hears what is in
   * it. Without such a file it starts one.
   *
   * @throws {MdetrError} when the file is of another task, or broken elsewhere than at its end
   */
  static async goOn<Task extends PredictionTask>(
    path: string,
    task: Task,
    onSaved: (prediction: Prediction<Task>) => void,
  ): Promise<PredictionWriter<Task>> {
    const info = await stat(path).catch(() => undefined);
    if (info === undefined || info.size === 0) return PredictionWriter.create(path, task);
    const file = await writing(path, open(path, 'r+'));
    try {
      const whole = await writing(path, endOfLines(file, info.size));
      // Not even the first line is whole: nothing is lost by beginning anew.
      if (whole === 0) {
        await file.close();
        return await PredictionWriter.create(path, task);
      }
      await writing(path, file.truncate(whole));
      for await (const prediction of readPredictions(path, task)) onSaved(prediction);
      await file.close();
      return new PredictionWriter(path, await writing(path, open(path, 'a')), '');
    } catch (error) {
      await file.close().catch(() => undefined);
      throw error;
    }
  }

  /** Await it before the next one. @throws {MdetrError} when the file cannot be written */
  async write(prediction: Prediction<Task>): Promise<void> {
    this.pending += `${JSON.stringify(prediction)}\n`;
    if (this.pending.length >= chunkLength) await this.flush();
  }

  /** Call it: what was written is only then sure to be in the file. */
  async close(): Promise<void> {
    try {
      await this.flush();
    } finally {
      await this.file.close();
    }
  }

  private async flush(): Promise<void> {
    const chunk = this.pending;
    this.pending = '';
    await writing(this.path, this.file.appendFile(chunk));
  }
}

/** Where the last whole line ends. */
const endOfLines = async (file: FileHandle, size: number): Promise<number> => {
  const piece = Buffer.alloc(chunkLength);
  for (let end = size; end > 0;) {
    const begin = Math.max(0, end - piece.length);
    await file.read(piece, 0, end - begin, begin);
    const at = piece.lastIndexOf('\n', end - begin - 1);
    if (at >= 0) return begin + at + 1;
    end = begin;
  }
  return 0;
};

const writing = async <T>(path: string, work: Promise<T>): Promise<T> => {
  try {
    return await work;
  } catch (error) {
    throw new MdetrError(`Cannot write the predictions to ${path}: ${fileReason(error)}.`, { cause: error });
  }
};

/**
 * Reads a file of predictions, line by line.
 *
 * @throws {MdetrError} when the file is of another task, or naming the line and field that are wrong
 */
export async function* readPredictions<Task extends PredictionTask>(
  path: string,
  task: Task,
): AsyncGenerator<Prediction<Task>> {
  let line = 0;
  for await (const text of linesOf(path)) {
    line++;
    if (line > 1 && text.trim() === '') continue;
    const value = parseLine(text, path, line);
    if (line === 1) {
      assertHeader(value, path, task);
      continue;
    }
    const parsed = predictionSchemas[task].safeParse(value);
    if (!parsed.success) {
      const issue = parsed.error.issues[0]!;
      const field = issue.path.map(String).join('.');
      throw new MdetrError(`${path}, line ${line}: ${field === '' ? '' : `"${field}": `}${issue.message}.`);
    }
    yield parsed.data as Prediction<Task>;
  }
  if (line === 0) throw new MdetrError(`${path} is empty; expected predictions for ${task}.`);
}

async function* linesOf(path: string): AsyncGenerator<string> {
  const stream = createReadStream(path, 'utf8');
  try {
    yield* createInterface({ input: stream, crlfDelay: Infinity });
  } catch (error) {
    throw new MdetrError(`Cannot read predictions from ${path}: ${fileReason(error)}.`, { cause: error });
  } finally {
    stream.destroy();
  }
}

const parseLine = (text: string, path: string, line: number): unknown => {
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    throw new MdetrError(`${path}, line ${line} is not JSON; a file that was cut off ends so.`, { cause: error });
  }
};

const assertHeader = (value: unknown, path: string, task: string): void => {
  const found =
    typeof value === 'object' && value !== null && 'mdetr_predictions' in value ? value.mdetr_predictions : undefined;
  if (found === task) return;
  throw new MdetrError(
    typeof found === 'string'
      ? `${path} holds predictions for ${found}, not for ${task}.`
      : `${path} does not begin with {"mdetr_predictions":"${task}"}: it is not a file of saved predictions.`,
  );
};

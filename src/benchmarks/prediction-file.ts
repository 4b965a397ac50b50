import { createReadStream } from 'node:fs';
import { open, stat, type FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import { createInterface } from 'node:readline';
import { fileReason, MdetrError } from '../errors.ts';
import { predictionHeader, PredictionParser, type PredictionFormat } from '../metrics/predictions.ts';
import type { EvaluationRequest } from './benchmark.ts';
import { requireInput } from '../files/input-file.ts';
import { makeFolder } from '../files/make-folder.ts';

/** Approximate number of bytes that are buffered before they are written. */
const CHUNK_LENGTH = 1 << 16;

/** Writes predictions to a file, one line each. Call `close` at the end. */
export class PredictionWriter<Prediction> {
  private constructor(
    /** Path of the file. */
    readonly path: string,
    private readonly file: FileHandle,
    private pending: string,
  ) {}

  /** Creates the file, or overwrites it. @throws {MdetrError} when it cannot be written */
  static async create<Prediction>(
    path: string,
    format: PredictionFormat<Prediction>,
  ): Promise<PredictionWriter<Prediction>> {
    await makeFolder(dirname(path));
    return new PredictionWriter(path, await writing(path, open(path, 'w')), `${predictionHeader(format)}\n`);
  }

  /**
   * Opens the file of an interrupted run for appending, and creates it when it does not exist. A truncated last line is
   * removed.
   *
   * @param onSaved called with every prediction in the file
   * @throws {MdetrError} when the file has another format, or a damaged line before its end
   */
  static async resume<Prediction>(
    path: string,
    format: PredictionFormat<Prediction>,
    onSaved: (prediction: Prediction) => void,
  ): Promise<PredictionWriter<Prediction>> {
    const info = await stat(path).catch(() => undefined);
    if (info === undefined || info.size === 0) return PredictionWriter.create(path, format);
    const file = await writing(path, open(path, 'r+'));
    try {
      const end = await writing(path, endOfLastLine(file, info.size));
      // The first line is incomplete, so the file has no predictions yet.
      if (end === 0) {
        await file.close();
        return await PredictionWriter.create(path, format);
      }
      await writing(path, file.truncate(end));
      for await (const prediction of readPredictions(path, format)) onSaved(prediction);
      await file.close();
      return new PredictionWriter(path, await writing(path, open(path, 'a')), '');
    } catch (error) {
      await file.close().catch(() => undefined);
      throw error;
    }
  }

  /** Appends a prediction; wait for the promise before the next call. @throws {MdetrError} when the file cannot be written */
  async write(prediction: Prediction): Promise<void> {
    this.pending += `${JSON.stringify(prediction)}\n`;
    if (this.pending.length >= CHUNK_LENGTH) await this.flush();
  }

  /** Writes what is buffered, and closes the file. @throws {MdetrError} when the file cannot be written */
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

/** Offset behind the last line break, 0 when there is none. */
const endOfLastLine = async (file: FileHandle, size: number): Promise<number> => {
  const chunk = Buffer.alloc(CHUNK_LENGTH);
  for (let end = size; end > 0;) {
    const begin = Math.max(0, end - chunk.length);
    await file.read(chunk, 0, end - begin, begin);
    const index = chunk.lastIndexOf('\n', end - begin - 1);
    if (index >= 0) return begin + index + 1;
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
 * Reads a file of saved predictions line by line.
 *
 * @throws {MdetrError} when the file has another format, or naming the wrong line and field
 */
export async function* readPredictions<Prediction>(
  path: string,
  format: PredictionFormat<Prediction>,
): AsyncGenerator<Prediction> {
  const parser = new PredictionParser(format, path);
  for await (const line of linesOf(path)) {
    const prediction = parser.parse(line);
    if (prediction !== undefined) yield prediction;
  }
  parser.end();
}

async function* linesOf(path: string): AsyncGenerator<string> {
  await requireInput(path);
  const stream = createReadStream(path, 'utf8');
  try {
    yield* createInterface({ input: stream, crlfDelay: Infinity });
  } catch (error) {
    throw new MdetrError(`Cannot read predictions from ${path}: ${fileReason(error)}.`, { cause: error });
  } finally {
    stream.destroy();
  }
}

/**
 * Opens the file in which a request saves predictions.
 *
 * @param onSaved called with the predictions of an interrupted run that is resumed
 * @returns undefined when the request saves none
 */
export const openPredictionWriter = async <Prediction>(
  format: PredictionFormat<Prediction>,
  { savePredictions: path, resume }: Pick<EvaluationRequest, 'savePredictions' | 'resume'>,
  onSaved: (prediction: Prediction) => void,
): Promise<PredictionWriter<Prediction> | undefined> => {
  if (path === undefined) return undefined;
  return resume === true ? PredictionWriter.resume(path, format, onSaved) : PredictionWriter.create(path, format);
};

/** Whether saved predictions have masks, decided by the first one. */
export const hasSavedMasks = async <Prediction>(
  path: string,
  format: PredictionFormat<Prediction>,
): Promise<boolean> => {
  for await (const prediction of readPredictions(path, format)) {
    const { mask, masks } = prediction as { mask?: unknown; masks?: unknown };
    return mask !== undefined || masks !== undefined;
  }
  return false;
};

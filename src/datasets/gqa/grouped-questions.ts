import { quoted } from '../../errors.ts';
import { join } from 'node:path';
import * as z from 'zod';
import { RecordSpool } from '../../data/annotation-index/record-spool.ts';
import type { BadRows } from '../source/bad-rows.ts';
import { checked } from '../source/checked.ts';
import { readJsonDictionary } from '../source/json-entries.ts';
import { JsonRanges } from '../source/json-ranges.ts';
import { megabyteProgress } from '../preparation/megabyte-progress.ts';
import type { PreparationProgress } from '../preparation/preparation.ts';

/** Object ids by the words that refer to them: `3` is word 3, `3:5` words 3 and 4. */
const objectsByWords = z.record(z.string(), z.string());

const questionSchema = z.object({
  imageId: z.string(),
  question: z.string(),
  answer: z.string().optional(),
  types: z.object({ semantic: z.string() }).optional(),
  semantic: z.array(z.object({ operation: z.string(), argument: z.string() })).default([]),
  annotations: z
    .object({ question: objectsByWords.default({}), answer: objectsByWords.default({}) })
    .default({ question: {}, answer: {} }),
});

/** A question in GQA's format. Test questions have neither answer nor annotations. */
export type GqaSourceQuestion = z.output<typeof questionSchema>;

export interface KeyedQuestion {
  readonly id: string;
  readonly question: GqaSourceQuestion;
  /** File and key, for messages. */
  readonly location: string;
}

export interface ImageQuestions {
  readonly imageId: string;
  readonly questions: readonly KeyedQuestion[];
}

const imageIdOnly = z.object({ imageId: z.string() });

/**
 * GQA's questions grouped by image, images in order of first occurrence, as in the official files. The source files are
 * read twice (all training questions take 15 GB). Only the byte range of each question is kept, in a temporary file, so
 * memory use is constant.
 */
export class GroupedQuestions {
  /** Number of questions. */
  readonly length: number;
  private readonly paths: readonly string[];
  private readonly images: readonly string[];
  private readonly spool: RecordSpool;

  private constructor(paths: readonly string[], images: readonly string[], spool: RecordSpool) {
    this.paths = paths;
    this.images = images;
    this.spool = spool;
    this.length = spool.length;
  }

  /**
   * First pass: finds the image of every question. Call `close` when done.
   * @param folder folder for the temporary file
   * @param title prefix of the progress step
   */
  static read(
    paths: readonly string[],
    folder: string,
    title: string,
    progress: PreparationProgress,
    badRows: BadRows,
  ): GroupedQuestions {
    const spool = new RecordSpool(join(folder, `gqa-questions-${process.pid}.tmp`), 4);
    try {
      const indexOf = new Map<string, number>();
      const images: string[] = [];
      const record = new Float64Array(4);
      for (const [file, path] of paths.entries()) {
        const onProgress = megabyteProgress(`${title}, reading ${path}, MB`, progress);
        for (const { location, value, keyBegin, end } of readJsonDictionary(path, { onProgress })) {
          const imageId = badRows.attempt(() => checked(imageIdOnly, value, `${path} ${location}`).imageId);
          if (imageId === undefined) continue;
          let image = indexOf.get(imageId);
          if (image === undefined) indexOf.set(imageId, (image = images.push(imageId) - 1));
          record.set([image, file, keyBegin, end]);
          spool.add(record);
        }
      }
      return new GroupedQuestions(paths, images, spool);
    } catch (error) {
      spool.close();
      throw error;
    }
  }

  /** Second pass: iterates over the images with their questions. May be called once. */
  *byImage(badRows: BadRows): Generator<ImageQuestions> {
    const files = this.paths.map((path) => new JsonRanges(path));
    try {
      const sorted = this.spool.sort();
      let left = sorted.next();
      while (left) {
        const image = sorted.numbers[sorted.offset]!;
        const questions: KeyedQuestion[] = [];
        do {
          const [, file, begin, end] = sorted.numbers.subarray(sorted.offset, sorted.offset + 4);
          const entry = JSON.parse(`{${files[file!]!.text(begin!, end!)}}`) as Record<string, unknown>;
          const [id, value] = Object.entries(entry)[0]!;
          const location = `${this.paths[file!]!} [${quoted(id)}]`;
          const question = badRows.attempt(() => checked(questionSchema, value, location));
          if (question !== undefined) questions.push({ id, question, location });
          left = sorted.next();
        } while (left && sorted.numbers[sorted.offset] === image);
        yield { imageId: this.images[image]!, questions };
      }
    } finally {
      for (const file of files) file.close();
    }
  }

  close(): void {
    this.spool.close();
  }
}

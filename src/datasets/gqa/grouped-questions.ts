import { join } from 'node:path';
import { z } from 'zod';
import { RecordSpool } from '../../data/annotation-index/record-spool.ts';
import { checked } from '../checked.ts';
import { readJsonDictionary } from '../json-entries.ts';
import { JsonRanges } from '../json-ranges.ts';
import type { PreparationProgress } from '../preparation.ts';

const MEGABYTE = 1e6;

/** Object numbers by the words that mean them: `3`, or `3:5` for words 3 and 4. */
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

/** A question as GQA's files have it; test questions have neither answer nor annotations. */
export type GqaSourceQuestion = z.output<typeof questionSchema>;

export interface NumberedQuestion {
  readonly id: string;
  readonly question: GqaSourceQuestion;
  /** File and key, for messages. */
  readonly place: string;
}

export interface ImageQuestions {
  readonly imageId: string;
  readonly questions: readonly NumberedQuestion[];
}

const imageOf = z.object({ imageId: z.string() });

/**
 * The questions of GQA's files, all of an image together, images in the order in which they are first mentioned, as the
 * official files are ordered. The files are read twice (all training questions are 15 GB); of each question only its
 * place is kept, in a temporary file in `folder`, so memory stays flat.
 */
export class GroupedQuestions {
  /** How many questions there are. */
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

  /** First pass: which question is about which image. `close` it afterwards. */
  static read(paths: readonly string[], folder: string, what: string, progress: PreparationProgress): GroupedQuestions {
    const spool = new RecordSpool(join(folder, `gqa-questions-${process.pid}.tmp`), 4);
    try {
      const numberOf = new Map<string, number>();
      const images: string[] = [];
      const record = new Float64Array(4);
      for (const [file, path] of paths.entries())
        for (const { place, value, keyBegin, end } of readJsonDictionary(path, megabytes(path, what, progress))) {
          const { imageId } = checked(imageOf, value, `${path} ${place}`);
          let image = numberOf.get(imageId);
          if (image === undefined) numberOf.set(imageId, (image = images.push(imageId) - 1));
          record.set([image, file, keyBegin, end]);
          spool.add(record);
        }
      return new GroupedQuestions(paths, images, spool);
    } catch (error) {
      spool.close();
      throw error;
    }
  }

  /** Second pass, once. */
  *byImage(): Generator<ImageQuestions> {
    const files = this.paths.map((path) => new JsonRanges(path));
    try {
      const sorted = this.spool.sort();
      let left = sorted.next();
      while (left) {
        const image = sorted.numbers[sorted.offset]!;
        const questions: NumberedQuestion[] = [];
        do {
          const [, file, begin, end] = sorted.numbers.subarray(sorted.offset, sorted.offset + 4);
          const entry = JSON.parse(`{${files[file!]!.text(begin!, end!)}}`) as Record<string, unknown>;
          const [id, value] = Object.entries(entry)[0]!;
          const place = `${this.paths[file!]!} [${JSON.stringify(id)}]`;
          questions.push({ id, question: checked(questionSchema, value, place), place });
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

/** A bar of the megabytes read of a file; it begins with the first. */
export const megabytes = (
  path: string,
  what: string,
  progress: PreparationProgress,
): { readonly onProgress: (done: number, total: number) => void } => {
  let shown = -1;
  return {
    onProgress: (done, total) => {
      if (shown < 0) progress.step(`${what}, reading ${path}, MB`, Math.ceil(total / MEGABYTE));
      const now = Math.floor(done / MEGABYTE);
      progress.advance(now - Math.max(shown, 0));
      shown = now;
    },
  };
};

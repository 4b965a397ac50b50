import { z } from 'zod';
import type { CocoRow } from '../data/coco-format.ts';
import { checked } from '../data/datasets/checked.ts';
import { readJsonLists } from '../data/datasets/json-entries.ts';
import { AnnotationIndex } from '../data/index/annotation-index.ts';
import { RowReader, type OnBadRow } from '../data/index/row-reader.ts';
import { MdetrError } from '../errors.ts';

/** The rows of an annotation file, read again whenever they are walked through: none are kept. */
export interface TaskRows {
  /** How many there are, bad ones included. */
  readonly length: number;
  [Symbol.iterator](): Iterator<CocoRow>;
  /** Rows that were left out, once all were read. */
  readonly skipped: number;
  close(): void;
}

export interface RowsOptions {
  readonly annotations: string;
  /** At most so many rows, from the start. */
  readonly limit?: number | undefined;
  readonly onBadRow: OnBadRow;
}

/** Rows of a file in the official annotation format. Throws `MdetrError` where it is none, or has no rows. */
export const openRows = ({ annotations, limit, onBadRow }: RowsOptions): TaskRows => {
  const index = AnnotationIndex.open(annotations);
  const length = Math.min(index.length, limit ?? index.length);
  let skipped = 0;
  if (length === 0) {
    index.close();
    throw new MdetrError(`${annotations}: no rows to evaluate`);
  }
  return {
    length,
    *[Symbol.iterator]() {
      const reader = new RowReader(index, { onBadRow });
      for (let row = 0; row < length; row++) {
        const read = reader.read(row);
        if (read !== undefined) yield read;
      }
      ({ skipped } = reader.counts);
    },
    get skipped() {
      return skipped;
    },
    close: () => index.close(),
  };
};

const questionSchema = z.object({
  image_filename: z.string().min(1),
  question: z.string().min(1),
  question_index: z.number().int().nonnegative().optional(),
  answer: z.string().optional(),
  program: z.array(z.unknown()).optional(),
});

/**
 * Whether a file is one of CLEVR's own, by name and content: prepared files of CLEVR-Humans have the same names as the
 * originals.
 */
export const isClevrQuestionFile = (path: string): boolean => {
  if (!/_questions\.json$|CLEVR-Humans-[a-z]+\.json$/.test(path)) return false;
  try {
    for (const _ of readJsonLists(path, ['questions'])) return true;
    return true;
  } catch (error) {
    // Whatever else is wrong with the file, whoever reads it next will tell.
    if (error instanceof MdetrError) return false;
    throw error;
  }
};

/**
 * Rows of a file of CLEVR's questions, as its authors distribute them (`CLEVR_val_questions.json`, CLEVR-Humans): the
 * files of the test sets, and those that have programs.
 */
export const openClevrQuestions = ({ annotations, limit }: RowsOptions): TaskRows => {
  const rows: CocoRow[] = [];
  for (const { value, place } of readJsonLists(annotations, ['questions'])) {
    if (rows.length === limit) break;
    const question = checked(questionSchema, value, `${annotations}: ${place}`);
    const index = question.question_index ?? rows.length;
    rows.push({
      // Nothing needs the pictures' sizes; files do not tell them.
      image: {
        id: index,
        file_name: question.image_filename,
        width: 0,
        height: 0,
        caption: question.question,
        question_index: index,
        ...(question.answer === undefined ? {} : { answer: question.answer }),
        ...(question.program === undefined ? {} : { program: question.program }),
      },
      annotations: [],
    });
  }
  if (rows.length === 0) throw new MdetrError(`${annotations}: no questions to evaluate`);
  return { length: rows.length, [Symbol.iterator]: () => rows[Symbol.iterator](), skipped: 0, close: () => undefined };
};

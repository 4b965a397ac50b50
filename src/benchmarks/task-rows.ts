import type { CocoRow } from '../data/format/coco-format.ts';
import { AnnotationIndex } from '../data/annotation-index/annotation-index.ts';
import { RowReader, type OnBadRow } from '../data/annotation-index/row-reader.ts';
import { MdetrError } from '../errors.ts';

/** The rows of an annotation file, read again whenever they are walked through: none are kept. */
export interface TaskRows {
  /** How many there are, bad ones included. */
  readonly length: number;
  /** Of CLEVR's own file: texts without boxes. */
  readonly areQuestions: boolean;
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

/** Rows of a file in the official annotation format, or of CLEVR's questions. Throws `MdetrError` where it is none, or has no rows. */
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
    areQuestions: index.format === 'questions',
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

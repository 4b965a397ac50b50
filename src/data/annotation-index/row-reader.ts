import { MdetrError } from '../../errors.ts';
import { type CocoRow } from '../format/coco-format.ts';
import { isUsable, problemsOfRow, type RowProblem, type RowRules, type UncheckedRow } from '../format/row-checks.ts';
import { type AnnotationIndex } from './annotation-index.ts';
import { RowSyntaxError } from './row-syntax-error.ts';
import { questionField } from './question-row.ts';
import { shownImageId } from './string-ids.ts';

/** Handling of a row that cannot be used: throw an error, or skip and count it. */
export type OnBadRow = 'stop' | 'skip';

/** Options of a `RowReader`. */
export interface ReaderOptions extends RowRules {
  /** Whether a row that cannot be used stops the reader or is skipped. Default `stop`. */
  readonly onBadRow?: OnBadRow;
  /** Called for every problem, also of rows that can be used. */
  readonly onProblem?: (problem: RowProblem & { readonly row: number }) => void;
}

/** Reads rows from an index, checks them, and counts rows and problems. */
export class RowReader {
  /** Index of the annotation file. */
  readonly index: AnnotationIndex;
  /** Numbers of rows that were read and skipped, and of boxes without area. */
  readonly counts = { read: 0, skipped: 0, emptyBoxes: 0 };
  private readonly options: ReaderOptions;

  constructor(index: AnnotationIndex, options: ReaderOptions = {}) {
    this.index = index;
    this.options = options;
  }

  /**
   * The checked row; undefined when it is bad and bad rows are skipped.
   *
   * @throws {MdetrError} naming file, row and field when the row is bad and bad rows stop
   */
  read(row: number): CocoRow | undefined {
    let unchecked;
    let problems: RowProblem[];
    try {
      unchecked = this.index.row(row);
      problems = this.problemsOf(unchecked);
    } catch (error) {
      // A file that was changed or deleted is an error of the file, not of a row.
      if (!(error instanceof RowSyntaxError) || this.options.onBadRow !== 'skip') throw error;
      this.options.onProblem?.({ row, field: 'the row', message: error.message, kind: 'bad' });
      this.counts.skipped++;
      return undefined;
    }
    if (problems.length > 0) {
      for (const problem of problems) {
        if (problem.kind === 'empty') this.counts.emptyBoxes++;
        this.options.onProblem?.({ row, ...problem });
      }
      if (!isUsable(unchecked, problems)) {
        if (this.options.onBadRow !== 'skip') throw this.badRow(row, unchecked, problems);
        this.counts.skipped++;
        return undefined;
      }
    }
    this.counts.read++;
    return unchecked as CocoRow;
  }

  /** Problems of a row, under the field names of the file. */
  private problemsOf(row: UncheckedRow): RowProblem[] {
    if (this.index.format !== 'questions') return problemsOfRow(row, this.options);
    const problems = problemsOfRow(row, { ...this.options, sizes: 'unknown' });
    return problems.map(({ field, ...problem }) => ({ field: questionField(field), ...problem }));
  }

  private shownId(row: number, image: unknown): string {
    const stated = typeof image === 'object' && image !== null ? image : {};
    return shownImageId({ ...stated, id: this.index.idOf(row) });
  }

  private badRow(row: number, { image }: UncheckedRow, problems: readonly RowProblem[]): MdetrError {
    const bad = problems.filter((problem) => problem.kind === 'bad');
    const { field, message } = bad[0]!;
    const others = bad.length > 1 ? `, and ${bad.length - 1} more` : '';
    return new MdetrError(
      `${this.index.annotationFile}: row ${row} (image id ${this.shownId(row, image)}): ${field} ${message}${others}. ` +
        'Fix the row, or pass `--on-bad-row skip` to ignore such rows.',
    );
  }
}

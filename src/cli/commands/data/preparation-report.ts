import type { ImportReport } from '../../../datasets/import/import-dataset.ts';
import type { PreparationReport, Remark } from '../../../datasets/preparation/preparation.ts';
import { Progress } from '../../output/progress.ts';
import { formatCount } from '../../output/table.ts';

/** Progress bars, one per step. Aborts between units of work, so Ctrl-C leaves no incomplete file. */
export class StepProgress {
  private readonly signal: AbortSignal;
  private bar: Progress | undefined;

  constructor(signal: AbortSignal) {
    this.signal = signal;
  }

  step(what: string, total: number): void {
    this.signal.throwIfAborted();
    this.stop();
    this.bar = new Progress(what, total, { resultsComeLast: true });
  }

  advance(count = 1): void {
    this.signal.throwIfAborted();
    this.bar?.advance(count);
  }

  stop(): void {
    this.bar?.stop();
    this.bar = undefined;
  }
}

/** Lines about parts that were left out, and parts that need attention. */
export const remarksText = ({ leftOut, notes }: Pick<PreparationReport, 'leftOut' | 'notes'>): string =>
  [
    ...leftOut.map((remark) => `left out: ${remarkText(remark)}`),
    ...notes.map((remark) => `note: ${remarkText(remark)}`),
  ].join('');

const remarkText = ({ what, count, examples }: Remark): string => {
  const more = count > examples.length ? ', …' : '';
  return `${what}: ${formatCount(count)}${examples.length > 0 ? ` (${examples.join(', ')}${more})` : ''}\n`;
};

/** Classes that the report lists. */
const MAX_CLASSES = 20;

/** Report of an import. */
export const importText = (report: ImportReport): string => {
  const { format, sources, files, classes, imageFolder } = report;
  const names = Object.entries(classes);
  const list = names
    .slice(0, MAX_CLASSES)
    .map(([name, count]) => `${name} (${formatCount(count)})`)
    .join(', ');
  return [
    `${format}: ${sources.slice(0, 3).join(', ')}${sources.length > 3 ? `, … (${formatCount(sources.length)} files)` : ''}\n`,
    ...files.map(
      ({ path, images, annotations }) =>
        `${path}: ${formatCount(images)} captions, ${formatCount(annotations)} boxes\n`,
    ),
    names.length === 0
      ? ''
      : `${formatCount(names.length)} classes: ${list}${names.length > MAX_CLASSES ? ', …' : ''}\n`,
    `images: ${imageFolder}\n`,
    remarksText(report),
  ].join('');
};

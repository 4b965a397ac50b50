import type { SingleBar } from 'cli-progress';
import { note, visible } from './print.ts';

/** Current activity: a line of the terminal that is overwritten. Elsewhere, plain lines if `verbose` is set. */
export class StatusLine {
  private shown = false;
  private readonly verbose: boolean;

  constructor(verbose: boolean) {
    this.verbose = verbose;
  }

  show(text: string): void {
    if (process.stderr.isTTY) {
      process.stderr.write(`\r\u001b[2K${visible(text)} …`);
      this.shown = true;
    } else if (this.verbose) note(text);
  }

  clear(): void {
    if (this.shown) process.stderr.write('\r\u001b[2K');
    this.shown = false;
  }
}

/** Progress bar. Shown on a terminal, unless the results are printed to the same terminal one by one. */
export class Progress {
  private bar: SingleBar | undefined;
  private done = 0;
  private isStopped = false;

  /**
   * @param total undefined if it is not known yet
   * @param resultsComeLast nothing is printed while the bar is shown, so it may share the terminal with the results
   */
  constructor(unit: string, total: number | undefined, { resultsComeLast = false } = {}) {
    if ((total ?? Infinity) < 2 || !process.stderr.isTTY || (process.stdout.isTTY && !resultsComeLast)) return;
    void this.show(unit, total);
  }

  /** Shows the bar, whose code is loaded only here: most calls have none. */
  private async show(unit: string, total: number | undefined): Promise<void> {
    const { Presets, SingleBar } = await import('cli-progress');
    if (this.isStopped) return;
    this.bar = new SingleBar(
      {
        stream: process.stderr,
        format: total === undefined ? `${unit} {value}` : `${unit} {bar} {value}/{total}, {eta_formatted} left`,
        hideCursor: true,
        clearOnComplete: true,
      },
      Presets.shades_classic,
    );
    this.bar.start(total ?? Number.MAX_SAFE_INTEGER, this.done);
  }

  advance(count: number): void {
    this.update(this.done + count);
  }

  /** Sets the number of items that are done. */
  update(done: number): void {
    this.done = done;
    this.bar?.update(done);
  }

  stop(): void {
    this.isStopped = true;
    this.bar?.stop();
  }
}

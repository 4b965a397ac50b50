import { Presets, SingleBar } from 'cli-progress';

/** A remark on stderr, each of its lines marked as ours. */
export const note = (text: string): void => {
  for (const line of text.split('\n')) process.stderr.write(`mdetr: ${line}\n`);
};

/** What is going on, on a line of the terminal that is written over; in a file, plain lines when asked for. */
export class StatusLine {
  private shown = false;
  private readonly verbose: boolean;

  constructor(verbose: boolean) {
    this.verbose = verbose;
  }

  show(text: string): void {
    if (process.stderr.isTTY) {
      process.stderr.write(`\r\u001b[2K${text} …`);
      this.shown = true;
    } else if (this.verbose) note(text);
  }

  clear(): void {
    if (this.shown) process.stderr.write('\r\u001b[2K');
    this.shown = false;
  }
}

/** How many of several things are done. On a terminal, unless the results themselves appear there one by one. */
export class Progress {
  private readonly bar: SingleBar | undefined;

  /** `resultsComeLast`: nothing is printed while the bar is there, so it may stand on the terminal that results go to. */
  constructor(what: string, total: number, { resultsComeLast = false } = {}) {
    if (total < 2 || !process.stderr.isTTY || (process.stdout.isTTY && !resultsComeLast)) return;
    this.bar = new SingleBar(
      {
        stream: process.stderr,
        format: `${what} {bar} {value}/{total}, {eta_formatted} left`,
        hideCursor: true,
        clearOnComplete: true,
      },
      Presets.shades_classic,
    );
    this.bar.start(total, 0);
  }

  advance(count: number): void {
    this.bar?.increment(count);
  }

  stop(): void {
    this.bar?.stop();
  }
}

import { note } from '../output/progress.ts';

/** Signals this close behind the first are the same key press: launchers such as npx pass it on once more. */
const samePressMs = 1000;

/**
 * Ctrl-C and SIGTERM: the first asks the run to end after the step at hand and to save; one that comes later ends the
 * process at once, and what was done since the last save is lost.
 */
export class StopSignals {
  private readonly stop = new AbortController();
  private received: NodeJS.Signals | undefined;
  private firstMs = 0;

  constructor() {
    process.on('SIGINT', this.receive);
    process.on('SIGTERM', this.receive);
  }

  get signal(): AbortSignal {
    return this.stop.signal;
  }

  forget(): void {
    process.off('SIGINT', this.receive);
    process.off('SIGTERM', this.receive);
  }

  /** Ends the process as whoever sent the signal expects; does nothing when there was none. */
  endAsAsked(): void {
    if (this.received !== undefined) process.kill(process.pid, this.received);
  }

  private readonly receive = (name: NodeJS.Signals): void => {
    if (this.received === undefined) {
      this.received = name;
      this.firstMs = Date.now();
      note('stopping: the step at hand is finished and saved (once more ends at once and loses what is not saved)');
      this.stop.abort(new Error(`stopped by ${name}`));
    } else if (Date.now() - this.firstMs > samePressMs) {
      this.forget();
      process.kill(process.pid, name);
    }
  };
}

import { note } from '../output/progress.ts';

/** Signals within this time of the first are the same key press: launchers such as npx forward it once more. */
const SAME_PRESS_MS = 1000;

/**
 * Ctrl-C and SIGTERM. The first signal makes the run stop after the current step and save; a later one ends the process at
 * once, and steps since the last save are lost.
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

  /** Ends the process by the received signal, as its sender expects; does nothing if there was none. */
  endAsAsked(): void {
    if (this.received !== undefined) process.kill(process.pid, this.received);
  }

  private readonly receive = (name: NodeJS.Signals): void => {
    if (this.received === undefined) {
      this.received = name;
      this.firstMs = Date.now();
      note('stopping after the current step, which is saved (a second Ctrl-C stops at once and loses unsaved steps)');
      this.stop.abort(new Error(`stopped by ${name}`));
    } else if (Date.now() - this.firstMs > SAME_PRESS_MS) {
      this.forget();
      process.kill(process.pid, name);
    }
  };
}

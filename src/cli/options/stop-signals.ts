/** Signals that ask a process to end. Each stops the work cleanly: finished work is saved, nothing is half written. */
export const STOP_SIGNALS: readonly NodeJS.Signals[] =
  process.platform === 'win32'
    ? ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGBREAK']
    : ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT', 'SIGXCPU'];

/** Signals within this time of the first are the same key press: launchers such as npx forward it once more. */
const SAME_PRESS_MS = 1000;

/**
 * Listens for the signals that ask the process to end. The first one aborts `signal`; a later one ends the process at
 * once.
 */
export class StopSignals {
  private readonly stop = new AbortController();
  private received: NodeJS.Signals | undefined;
  private firstMs = 0;

  /** @param onFirst called with the first signal, before `signal` is aborted */
  constructor(private readonly onFirst: (name: NodeJS.Signals) => void = () => undefined) {
    for (const name of STOP_SIGNALS) process.on(name, this.receive);
  }

  get signal(): AbortSignal {
    return this.stop.signal;
  }

  forget(): void {
    for (const name of STOP_SIGNALS) process.off(name, this.receive);
  }

  /** Ends the process by the received signal, as its sender expects; does nothing if there was none. */
  endAsAsked(): void {
    if (this.received !== undefined) process.kill(process.pid, this.received);
  }

  private readonly receive = (name: NodeJS.Signals): void => {
    if (this.received === undefined) {
      this.received = name;
      this.firstMs = Date.now();
      this.onFirst(name);
      this.stop.abort(new Error(`stopped by ${name}`));
    } else if (Date.now() - this.firstMs > SAME_PRESS_MS) {
      this.forget();
      process.kill(process.pid, name);
    }
  };
}

/**
 * Runs work that stops cleanly: `work` checks the signal between its steps (`signal.throwIfAborted()`), and the
 * process then ends by the signal that it received. A second signal ends it at once.
 */
export const interruptible = async (work: (signal: AbortSignal) => Promise<void>): Promise<void> => {
  const signals = new StopSignals();
  try {
    await work(signals.signal);
  } catch (error) {
    if (!signals.signal.aborted) throw error;
  } finally {
    signals.forget();
  }
  signals.endAsAsked();
};

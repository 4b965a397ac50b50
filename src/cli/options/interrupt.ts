/**
 * Runs work that Ctrl-C or SIGTERM can stop. `work` checks the signal between its steps (`signal.throwIfAborted()`) and
 * leaves no partial output; then the process ends by the received signal, as its sender expects. A second Ctrl-C ends the
 * process at once.
 */
export const interruptible = async (work: (signal: AbortSignal) => Promise<void>): Promise<void> => {
  const stop = new AbortController();
  let received: NodeJS.Signals | undefined;
  const onSignal = (name: NodeJS.Signals): void => {
    forget();
    received = name;
    stop.abort(new Error(`stopped by ${name}`));
  };
  const forget = (): void => {
    process.off('SIGINT', onSignal);
    process.off('SIGTERM', onSignal);
  };
  process.on('SIGINT', onSignal);
  process.on('SIGTERM', onSignal);
  try {
    await work(stop.signal);
  } catch (error) {
    if (!stop.signal.aborted) throw error;
  } finally {
    forget();
  }
  if (received !== undefined) process.kill(process.pid, received);
};

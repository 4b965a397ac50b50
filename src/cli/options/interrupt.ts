/**
 * Does work that ends in good order at Ctrl-C: `work` looks at the signal between its steps (`signal.throwIfAborted()`),
 * leaves nothing half written, and the process then ends as whoever sent the signal expects. A second Ctrl-C ends it at
 * once.
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

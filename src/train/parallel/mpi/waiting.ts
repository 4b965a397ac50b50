import { setImmediate, setTimeout } from 'node:timers/promises';

/** The group's monitor, which is asked while a process waits for another one. */
export interface GroupWatch {
  /** @throws {GroupEnded} if a process of the group has failed */
  check(): void;
}

/** Polls between two looks at the clock. */
const POLLS_PER_LOOK = 64;
/** Sleep between later polls, for processes that share a core. */
const SLEEP_MS = 0.02;
/** Time for which a condition is polled before the event loop gets a turn. */
const TURN_MS = 2;
/** Time after which longer sleeps leave the event loop to others: the other side is still computing. */
const BUSY_MS = 20;

/** Nobody wakes a thread that waits here. */
const never = new Int32Array(new SharedArrayBuffer(4));

/**
 * Waits until a condition holds that another process brings about. Polls at first; then signals and messages of other
 * threads are handled in between.
 *
 * @param alertMs time for which the process does not sleep between polls
 * @throws {GroupEnded} if a process of the group has failed
 */
export const waitUntil = async (
  isMet: () => boolean,
  watch: GroupWatch | undefined,
  alertMs: number,
): Promise<void> => {
  const began = performance.now();
  for (let turned = began; ;) {
    for (let poll = 0; poll < POLLS_PER_LOOK; poll++) if (isMet()) return;
    const now = performance.now();
    if (now - began > alertMs) Atomics.wait(never, 0, 0, SLEEP_MS);
    if (now - turned < TURN_MS) continue;
    watch?.check();
    if (now - began < BUSY_MS) await setImmediate();
    else await setTimeout(1);
    turned = performance.now();
  }
};

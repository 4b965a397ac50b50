import { setFlagsFromString } from 'node:v8';

/** Commands whose calls are mostly over before code is hot. */
export const SHORT_COMMANDS: readonly string[] = ['ask', 'detect', 'refer'];

/** Age of the process at which V8 works as usual again, in milliseconds. */
const USUAL_AFTER_MS = 1000;

/** V8's settings at first: code is optimized later, and the space of young objects keeps its initial size. */
const FRUGAL_FLAGS = ['--interrupt-budget=1000000', '--semi-space-growth-factor=1'];
/** V8's defaults. */
const USUAL_FLAGS = ['--interrupt-budget=67584', '--semi-space-growth-factor=2'];

/**
 * Makes V8 spare memory and processor time in the first second of a short call. Otherwise its optimizing compiler takes a tenth of
 * the time of `mdetr detect` on one image, for code that then runs for a few milliseconds, and young objects take 13 MB.
 */
export const startFrugally = (command: string): void => {
  if (!SHORT_COMMANDS.includes(command)) return;
  for (const flag of FRUGAL_FLAGS) setFlagsFromString(flag);
  const restore = (): void => {
    for (const flag of USUAL_FLAGS) setFlagsFromString(flag);
  };
  setTimeout(restore, USUAL_AFTER_MS).unref();
};

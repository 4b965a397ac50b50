import { setFlagsFromString } from 'node:v8';

/** Commands whose calls are mostly over before code is hot, and which make few objects for each image. */
export const SHORT_COMMANDS: readonly string[] = ['ask', 'detect', 'refer'];

/** Age of the process at which V8 optimizes as usual again, in milliseconds. */
const USUAL_AFTER_MS = 1000;

/** The space of young objects keeps its initial size: else it grows to 48 MB in a call on many images, without saving time. */
const SMALL_YOUNG_SPACE = '--semi-space-growth-factor=1';
/** Code is optimized later. */
const LATE_OPTIMIZATION = '--interrupt-budget=1000000';
/** V8's default. */
const USUAL_OPTIMIZATION = '--interrupt-budget=67584';

/**
 * Makes V8 spare memory, and in the first second of a call processor time. Otherwise its optimizing compiler takes a tenth of the time of
 * `mdetr detect` on one image, for code that then runs for a few milliseconds.
 */
export const startFrugally = (): void => {
  setStartFlags();
  setTimeout(() => setFlagsFromString(USUAL_OPTIMIZATION), USUAL_AFTER_MS).unref();
};

/** Factor by which memory grows between two collections of all objects, in percent, and how young objects are collected. */
const RARE_COLLECTIONS = ['--heap-growing-percent=150', '--no-parallel-scavenge'];
/** V8's defaults. */
const USUAL_COLLECTIONS = ['--heap-growing-percent=0', '--parallel-scavenge'];

/**
 * Makes V8 collect its few objects less than half as often, in one thread: otherwise a call on thousands of images, each of which leaves a few
 * buffers, spends a tenth of its processor time on that, for about 10 MB less memory.
 */
export const collectRarely = (): void => {
  for (const flag of RARE_COLLECTIONS) setFlagsFromString(flag);
};

/** V8's default growth of the space of young objects, whose collections use one thread. */
const LARGE_MODEL_COLLECTIONS = ['--semi-space-growth-factor=2', '--no-parallel-scavenge'];

/**
 * Makes V8 collect young objects as rarely as usual, for a model beside whose memory theirs does not matter, and in one thread: the others
 * create sessions while the model's files are read, and a collection would wait for them.
 */
export const collectForLargeModel = (): void => {
  for (const flag of LARGE_MODEL_COLLECTIONS) setFlagsFromString(flag);
};

/** Keeps the space of young objects at its initial size, for commands that run for long. */
export const keepYoungSpaceSmall = (): void => setFlagsFromString(SMALL_YOUNG_SPACE);

/** Sets the flags of the start. Compiled code is stored under them: V8 takes it later only with the flags of its storing. */
export const setStartFlags = (): void => {
  keepYoungSpaceSmall();
  setFlagsFromString(LATE_OPTIMIZATION);
  for (const flag of USUAL_COLLECTIONS) setFlagsFromString(flag);
};

import { functionOfLibc } from './libc.ts';

interface TrimFunction {
  async(keepBytes: number, done: (error: Error | null) => void): void;
}

/**
 * Returns freed memory to the system on glibc, which caches it per allocating thread. Programs are loaded, run and freed on
 * several threads: a process that repeatedly loads and disposes models would hold about 250 MB more than it uses. Other C
 * libraries return memory by themselves.
 */
export const returnFreedMemory = (): Promise<void> => {
  const trim = functionOfLibc('int malloc_trim(size_t keepBytes)') as TrimFunction | undefined;
  if (trim === undefined) return Promise.resolve();
  const { async: call } = trim;
  return new Promise((resolve) => call(0, () => resolve()));
};

/** Parameters of glibc's `mallopt`. */
const ARENA_MAX = -8;
const MMAP_THRESHOLD = -3;
/** Size from which an allocation has pages of its own: below that of a decoded image of 192 × 128 pixels. */
const OWN_PAGES_BYTES = 64 * 1024;

/**
 * Makes the threads of this process share their memory, on glibc. Otherwise each thread allocates from an arena of its own, and what one
 * has freed is lost to the others: over 10,000 decoded images, memory grows by a quarter.
 *
 * @param count number of arenas; with 2, the threads of a small network and of image decoding rarely wait for each other
 */
export const shareArenas = (count: number): void => setOption(ARENA_MAX, count);

/**
 * Gives images pages of their own, on glibc, which go back to the system as soon as they are freed. Between smaller allocations, the gaps
 * that they leave make memory grow by a tenth over 10,000 images.
 */
export const keepImagesApart = (): void => setOption(MMAP_THRESHOLD, OWN_PAGES_BYTES);

const setOption = (parameter: number, value: number): void => {
  const mallopt = functionOfLibc('int mallopt(int parameter, int value)') as
    ((parameter: number, value: number) => number) | undefined;
  mallopt?.(parameter, value);
};

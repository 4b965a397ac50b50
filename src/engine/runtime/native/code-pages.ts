import { readFileSync, realpathSync } from 'node:fs';
import { functionOfLibc } from './libc.ts';

/** `MADV_DONTNEED` of `madvise`. */
const DONT_NEED = 4;

/** Line of `/proc/self/maps` that maps code of a file: it can be read and run, and not written. */
const CODE_MAPPING = /^([\da-f]+)-([\da-f]+) r-xp \S+ \S+ \S+ +(.+)$/gm;

type Advise = (address: bigint, bytes: number, advice: number) => number;

/**
 * Gives the pages of a library's code back to the system, on glibc; those that run again are mapped again, from the system's cache of
 * the file. Creating the first session touches the code of every operator that ONNX Runtime has: 17 MB, of which small networks run 6.
 *
 * @param path path of a library that this process has loaded
 */
export const releaseCodePages = (path: string): void => {
  const advise = functionOfLibc('int madvise(uint64_t address, size_t bytes, int advice)') as Advise | undefined;
  if (advise === undefined) return;
  for (const [start, bytes] of codeOf(path)) advise(start, bytes, DONT_NEED);
};

const mappings = new Map<string, readonly (readonly [start: bigint, bytes: number])[]>();

/** Address and size of the code of a library in memory. */
const codeOf = (path: string): readonly (readonly [start: bigint, bytes: number])[] => {
  const known = mappings.get(path);
  if (known !== undefined) return known;
  const mappedFile = realpathSync(path);
  const found = readMaps()
    .filter(({ file }) => file === mappedFile)
    .map(({ start, end }) => [start, Number(end - start)] as const);
  mappings.set(path, found);
  return found;
};

const readMaps = (): readonly { readonly file: string; readonly start: bigint; readonly end: bigint }[] => {
  try {
    const maps = readFileSync('/proc/self/maps', 'utf8');
    return Array.from(maps.matchAll(CODE_MAPPING), ([, start, end, file]) => ({
      file: file!,
      start: BigInt(`0x${start!}`),
      end: BigInt(`0x${end!}`),
    }));
  } catch {
    return []; // The process may not read them.
  }
};

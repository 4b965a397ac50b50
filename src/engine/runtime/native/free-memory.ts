import { createRequire } from 'node:module';

interface TrimFunction {
  async(keepBytes: number, done: (error: Error | null) => void): void;
}

/**
 * Gives memory that was freed back to the system, where the C library is glibc. That keeps it for each thread that
 * allocated, and programs are loaded, run and freed on several: a process that loads and disposes models again and again
 * would hold some 250 MB more than it uses. Other C libraries give back by themselves.
 */
export const returnFreedMemory = (): Promise<void> => {
  trim ??= findTrim();
  if (trim === 'none') return Promise.resolve();
  const { async: call } = trim;
  return new Promise((resolve) => call(0, () => resolve()));
};

let trim: TrimFunction | 'none' | undefined;

const findTrim = (): TrimFunction | 'none' => {
  if (process.platform !== 'linux') return 'none';
  try {
    const koffi = createRequire(import.meta.url)('koffi') as {
      load(path: string): { func(declaration: string): TrimFunction };
    };
    return koffi.load('libc.so.6').func('int malloc_trim(size_t keepBytes)');
  } catch {
    return 'none'; // musl has neither the file nor the function.
  }
};

import { koffiPackage } from '../../../files/native-calls.ts';

interface TrimFunction {
  async(keepBytes: number, done: (error: Error | null) => void): void;
}

/**
 * Returns freed memory to the system on glibc, which caches it per allocating thread. Programs are loaded, run and freed on
 * several threads: a process that repeatedly loads and disposes models would hold about 250 MB more than it uses. Other C
 * libraries return memory by themselves.
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
    const koffi = koffiPackage() as {
      load(path: string): { func(declaration: string): TrimFunction };
    };
    return koffi.load('libc.so.6').func('int malloc_trim(size_t keepBytes)');
  } catch {
    return 'none'; // musl has no malloc_trim.
  }
};

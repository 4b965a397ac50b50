import { koffiPackage } from '../../../files/native-calls.ts';

const found = new Map<string, unknown>();

/** A function of glibc, by its C declaration; undefined on other systems, and with musl, which lacks the library's name. */
export const functionOfLibc = (declaration: string): unknown => {
  if (!found.has(declaration)) found.set(declaration, find(declaration));
  return found.get(declaration);
};

const find = (declaration: string): unknown => {
  if (process.platform !== 'linux') return undefined;
  try {
    const koffi = koffiPackage() as { load(path: string): { func(declaration: string): unknown } };
    return koffi.load('libc.so.6').func(declaration);
  } catch {
    return undefined;
  }
};

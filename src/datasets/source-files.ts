import { statSync } from 'node:fs';
import { join } from 'node:path';
import { MdetrError } from '../errors.ts';
import type { SourceFile } from './preparation.ts';

/** The full path of a source file: its own place or one of the others where it may lie, whichever is there. */
export const sourcePath = (from: string, { path, or = [] }: Pick<SourceFile, 'path' | 'or'>): string => {
  const found = [path, ...or].find((candidate) => kindOf(join(from, candidate)) !== undefined);
  return join(from, found ?? path);
};

/**
 * Looks for everything a preparation needs before it begins.
 * @throws MdetrError that names all that is missing at once, with where to get it
 */
export const requireSources = (from: string, sources: readonly SourceFile[], helpCommand: string): void => {
  if (kindOf(from) !== 'folder')
    throw new MdetrError(`${from}: there is no such folder. "${helpCommand}" tells what has to be in it`);
  const problems = sources.flatMap((source) => {
    const path = sourcePath(from, source);
    const kind = kindOf(path);
    if (kind === source.kind) return [];
    if (kind !== undefined) return [`${path} is a ${kind}, not a ${source.kind}`];
    return [`${path} (${source.holds}, ${source.size}, from ${source.from})`];
  });
  if (problems.length === 0) return;
  throw new MdetrError(`missing: ${problems.join('; ')}. "${helpCommand}" tells where everything has to be`);
};

const kindOf = (path: string): SourceFile['kind'] | undefined => {
  const info = statSync(path, { throwIfNoEntry: false });
  return info === undefined ? undefined : info.isDirectory() ? 'folder' : 'file';
};

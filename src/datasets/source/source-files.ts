import { statSync } from 'node:fs';
import { join } from 'node:path';
import { MdetrError } from '../../errors.ts';
import type { SourceFile } from '../preparation/preparation.ts';

/** Full path of a source file: the first of its path and alternative paths that exists. */
export const sourcePath = (from: string, { path, or = [] }: Pick<SourceFile, 'path' | 'or'>): string => {
  const found = [path, ...or].find((candidate) => kindOf(join(from, candidate)) !== undefined);
  return join(from, found ?? path);
};

/**
 * Checks that all files of a preparation exist.
 * @throws {MdetrError} listing everything that is missing, with where to download it
 */
export const requireSources = (from: string, sources: readonly SourceFile[], helpCommand: string): void => {
  if (kindOf(from) !== 'folder')
    throw new MdetrError(`${from}: no such folder. "${helpCommand}" lists the files that it must contain`);
  const problems = sources.flatMap((source) => {
    const path = sourcePath(from, source);
    const kind = kindOf(path);
    if (kind === source.kind) return [];
    if (kind !== undefined) return [`${path} is a ${kind}, not a ${source.kind}`];
    return [`${path} (${source.holds}, ${source.size}, from ${source.from})`];
  });
  if (problems.length === 0) return;
  throw new MdetrError(`missing: ${problems.join('; ')}. "${helpCommand}" lists the expected paths`);
};

const kindOf = (path: string): SourceFile['kind'] | undefined => {
  const info = statSync(path, { throwIfNoEntry: false });
  return info === undefined ? undefined : info.isDirectory() ? 'folder' : 'file';
};

/** Checks that no folder of `src/` has more than 20 source files of its own; exit status 1 if one has. */
import { readdirSync } from 'node:fs';
import { dirname, sep } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Maximum number of source files in a folder. Tests and subfolders are not counted. */
export const MAX_FILES = 20;

/** Folders with too many source files. @param paths paths of files, with `/` */
export const crowdedFolders = (paths: readonly string[]): readonly (readonly [folder: string, count: number])[] => {
  const counts = new Map<string, number>();
  for (const path of paths.filter((file) => /\.ts$/.test(file) && !/\.test\.ts$/.test(file)))
    counts.set(dirname(path), (counts.get(dirname(path)) ?? 0) + 1);
  return [...counts].filter(([, count]) => count > MAX_FILES);
};

const main = (): void => {
  const root = fileURLToPath(new URL('../../src', import.meta.url));
  const paths = readdirSync(root, { recursive: true, encoding: 'utf8' }).map(
    (path) => `src/${path.replaceAll(sep, '/')}`,
  );
  for (const [folder, count] of crowdedFolders(paths)) {
    process.stdout.write(`${folder}: ${count} source files, at most ${MAX_FILES}: group them in subfolders\n`);
    process.exitCode = 1;
  }
};

if (process.argv[1] === fileURLToPath(import.meta.url)) main();

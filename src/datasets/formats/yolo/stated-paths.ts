import { join, relative, resolve } from 'node:path';
import { pathComponents } from '../../import/image-names.ts';
import type { ImportSource } from '../../import/import-source.ts';

/** Images of a folder that a description names, at the places where such folders really are. */
export const imagesOfFolder = (
  source: ImportSource,
  stated: string,
  base: string,
  path: string | undefined,
): string[] => {
  for (const folder of candidatePaths(source, stated, base, path)) {
    const prefix = `${resolve(folder)}/`;
    const images = source.images.filter((image) => resolve(image).startsWith(prefix));
    if (images.length > 0) return images;
  }
  return [];
};

/** A text file that a description names, relative to the source. */
export const findFile = (source: ImportSource, stated: string, base: string, path?: string): string | undefined => {
  const known = new Set(source.files.map((file) => resolve(source.pathOf(file))));
  const found = candidatePaths(source, stated, base, path).find((candidate) => known.has(resolve(candidate)));
  return found === undefined ? undefined : relative(source.root, found).replaceAll('\\', '/');
};

/**
 * Places at which a path of a description may be: relative to its `path`, to the description, to the source, without leading
 * `..` (Roboflow writes `../train/images` for `train/images`), and below the source by its last components, for paths of
 * other machines.
 */
const candidatePaths = (source: ImportSource, stated: string, base: string, path: string | undefined): string[] => {
  const own = join(source.root, base);
  const parts = pathComponents(stated.trim()).filter((part) => part !== '..' && !/^[A-Za-z]:$/.test(part));
  const isAbsolute = /^([A-Za-z]:)?[\\/]/.test(stated.trim());
  const candidates: string[] = [];
  if (!isAbsolute) {
    const slashes = stated.trim().replaceAll('\\', '/');
    if (path !== undefined)
      candidates.push(join(own, path, slashes), join(own, '..', path, slashes), join(source.root, path, slashes));
    candidates.push(join(own, slashes), join(source.root, slashes));
  }
  for (let from = 0; from < parts.length; from++)
    candidates.push(join(own, ...parts.slice(from)), join(source.root, ...parts.slice(from)));
  return [...new Set(candidates)];
};

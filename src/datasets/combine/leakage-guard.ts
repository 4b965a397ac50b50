import { MdetrError } from '../../errors.ts';
import { readTextFileSync } from '../../files/json/json-file.ts';
import { AnnotationIndex, type OpenOptions } from '../../data/annotation-index/annotation-index.ts';
import { type ImageIdentities, keyOf } from './image-identity.ts';

/** A list of images that training must not see, and the collection of its names and ids. */
export interface GuardList {
  /** Path of a file that lists the images. */
  readonly path: string;
  /** Image collection of the ids (`coco`, `vg`, `flickr`). */
  readonly source?: string;
}

/**
 * Keys (`keyOf`) of all images on the lists. A list is an annotation file (.json, .jsonl, .ndjson), of which every image
 * counts, or a text file with one image id or file name per line.
 * @throws {MdetrError} if a list cannot be read
 */
export const guardedImages = (
  lists: readonly GuardList[],
  identities: ImageIdentities,
  options: OpenOptions = {},
): Set<string> => {
  const keys = new Set<string>();
  for (const { path, source } of lists)
    for (const name of /\.(json|jsonl|ndjson)$/i.test(path) ? fileNamesIn(path, options) : linesOf(path))
      keys.add(keyOf(identities.of(name, source)));
  return keys;
};

function* fileNamesIn(path: string, options: OpenOptions): Generator<string> {
  const index = AnnotationIndex.open(path, options);
  try {
    for (let row = 0; row < index.length; row++) {
      const { file_name: name } = index.image(row) as { file_name?: unknown };
      if (typeof name !== 'string') throw new MdetrError(`${path}: row ${row}: file_name is missing or not a string`);
      yield name;
    }
  } finally {
    index.close();
  }
}

const linesOf = (path: string): string[] => {
  const text = readTextFileSync(path);
  return text.split(/\r?\n/).filter((line) => line.trim() !== '');
};

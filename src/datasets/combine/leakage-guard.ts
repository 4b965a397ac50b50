import { readFileSync } from 'node:fs';
import { fileReason, MdetrError } from '../../errors.ts';
import { AnnotationIndex, type OpenOptions } from '../../data/annotation-index/annotation-index.ts';
import { type ImageIdentities, keyOf } from './image-identity.ts';

/** A list of images that must stay out of training, and the collection that its names and numbers belong to. */
export interface GuardList {
  readonly path: string;
  readonly source?: string;
}

/**
 * The keys of all images on the lists. A list is an annotation file of a validation or test split (every image of it;
 * anything named .json or .jsonl), or a text file with a number or file name per line.
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
      if (typeof name !== 'string') throw new MdetrError(`${path}: row ${row} has no file_name, so it guards nothing`);
      yield name;
    }
  } finally {
    index.close();
  }
}

const linesOf = (path: string): string[] => {
  let text;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw new MdetrError(`${path}: cannot be read (${fileReason(error)})`, { cause: error });
  }
  return text.split(/\r?\n/).filter((line) => line.trim() !== '');
};

import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { replaceFile } from '../../files/atomic-file.ts';
import { cacheFolder } from '../../files/cache-folder.ts';
import { withDigest, withoutDigest } from '../../files/file-digest.ts';
import { makeFolder } from '../../files/make-folder.ts';
import { packBpe, PACKED_BPE_VERSION, unpackBpe } from '../tokenizer/packed-bpe.ts';
import type { TokenizerDefinition } from '../tokenizer/tokenizer-json.ts';

/** Folder of packed tokenizers in the cache folder. */
export const TOKENIZERS_FOLDER = 'tokenizers';

/** Length of files in UTF-16 units below which reading them takes no longer than finding them packed. */
const MIN_PACKED_LENGTH = 2 ** 18;

/**
 * Definition of a tokenizer with byte-level BPE, packed in the cache by the digest of its files; other tokenizers are read each time.
 *
 * @param files contents of the tokenizer's files
 * @param read reads and checks the files
 */
export const packedDefinition = async (
  files: readonly string[],
  read: () => TokenizerDefinition,
  folder = join(cacheFolder(), TOKENIZERS_FOLDER),
): Promise<TokenizerDefinition> => {
  if (files.every(({ length }) => length < MIN_PACKED_LENGTH)) return read();
  const hash = createHash('sha256').update(`packed ${PACKED_BPE_VERSION}`);
  for (const file of files) hash.update(`\n${file.length}\n`).update(file);
  const path = join(folder, `${hash.digest('hex')}.bin`);
  const known = await readPacked(path);
  if (known !== undefined) return known;
  const definition = read();
  if (definition.bpe === undefined) return definition;
  const packed = packBpe(definition, definition.bpe);
  // Only a cache: if the folder cannot be written, the next start reads the files again.
  await makeFolder(folder)
    .then(() => replaceFile(path, withDigest(packed)))
    .catch(() => undefined);
  // The tables take a tenth of the memory of the maps.
  return unpackBpe(new Uint8Array(packed)) ?? definition;
};

/** Reads a packed tokenizer; undefined if there is none, or it is damaged. */
const readPacked = async (path: string): Promise<TokenizerDefinition | undefined> => {
  try {
    const packed = withoutDigest(new Uint8Array(await readFile(path)));
    return packed && unpackBpe(packed);
  } catch {
    return undefined;
  }
};

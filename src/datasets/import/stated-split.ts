/** Splits that a source can state. Images without one are divided by `importDataset`. */
export type ImportSplit = 'train' | 'val' | 'test';

const WORDS: Readonly<Record<string, ImportSplit>> = {
  train: 'train',
  training: 'train',
  val: 'val',
  valid: 'val',
  validation: 'val',
  dev: 'val',
  test: 'test',
  testing: 'test',
};

/** Split that a word names, such as `valid`; undefined if it names none. */
export const splitNamed = (word: string): ImportSplit | undefined => {
  const key = word.trim().toLowerCase();
  return Object.hasOwn(WORDS, key) ? WORDS[key] : undefined;
};

/**
 * Split that a path states: the innermost folder that is named like one, or a part of the file's name
 * (`instances_val2017.json`). A file called `test…` at the top says nothing.
 */
export const splitOfPath = (path: string): ImportSplit | undefined => {
  const parts = path.split(/[\\/]+/);
  const name = parts.pop() ?? '';
  const ofName = wordsOf(name.replace(/\.[^.]*$/, ''))
    .map(splitNamed)
    .find((split) => split !== undefined);
  if (ofName !== undefined && (ofName !== 'test' || parts.some((part) => part !== '.' && part !== ''))) return ofName;
  return splitOfFolders(path);
};

/** Split that the folders of a file's path state; the innermost one decides. */
export const splitOfFolders = (path: string): ImportSplit | undefined => {
  for (const folder of path
    .split(/[\\/]+/)
    .slice(0, -1)
    .toReversed())
    for (const word of wordsOf(folder)) {
      const split = splitNamed(word);
      if (split !== undefined) return split;
    }
  return undefined;
};

const wordsOf = (name: string): string[] => name.split(/[^A-Za-z]+/).filter((word) => word !== '');

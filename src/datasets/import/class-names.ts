import { basename } from 'node:path';
import { readTextFile } from '../../files/json/json-file.ts';

/** Maximum size of a list of class names. */
const MAX_BYTES = 4 * 2 ** 20;

/**
 * Names of numbered classes in a text file, one per line from class 0: `classes.txt`, `obj.names`, `_darknet.labels`. Empty
 * lines count, except at the end.
 */
export const readNumberedNames = async (path: string): Promise<string[]> => {
  const names = (await readTextFile(path, MAX_BYTES)).split(/\r\n|\n|\r/).map((line) => line.trim());
  while (names.at(-1) === '') names.pop();
  return names;
};

/** Whether a file is called like a list of class names. */
export const isNameList = (file: string): boolean =>
  /^(classes|obj|labels?|class_?names|names|predefined_classes|_?darknet)\.(txt|names|labels)$|\.names$/i.test(
    basename(file),
  );

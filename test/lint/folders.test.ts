import { expect, it } from 'vitest';
import { crowdedFolders, MAX_FILES } from '../../scripts/lint/folders.ts';

const files = (folder: string, count: number, extension = '.ts'): string[] =>
  Array.from({ length: count }, (_, index) => `${folder}/file-${index}${extension}`);

it('reports folders with too many source files, without tests and subfolders', () => {
  expect(crowdedFolders(files('src/nn', MAX_FILES))).toEqual([]);
  expect(crowdedFolders([...files('src/nn', MAX_FILES), ...files('src/nn', 5, '.test.ts')])).toEqual([]);
  expect(crowdedFolders([...files('src/nn', MAX_FILES), ...files('src/nn/attention', 5)])).toEqual([]);
  expect(crowdedFolders(files('src/nn', MAX_FILES + 1))).toEqual([['src/nn', MAX_FILES + 1]]);
});

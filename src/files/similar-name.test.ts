import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { temporaryFolder } from '../../test/support/run-preparation.ts';
import { openInputSync } from './input-file.ts';
import { similarNameHint } from './similar-name.ts';

it('names the file whose name looks the same', () => {
  const folder = temporaryFolder();
  for (const name of ['cafe\u0301.png', 'Two  Words.JPG']) writeFileSync(join(folder, name), '');
  const hintFor = (name: string): string => similarNameHint(join(folder, name));
  expect(hintFor('caf\u00e9.png')).toBe('; the folder has "cafe\u0301.png", whose accents are decomposed');
  expect(hintFor('two words.jpg')).toBe('; the folder has "Two  Words.JPG"');
  expect(hintFor('other.png')).toBe('');
  expect(hintFor('none/other.png')).toBe('');
  expect(() => openInputSync(join(folder, 'twowords.jpg'))).toThrow(
    '(there is no such file or folder; the folder has "Two  Words.JPG")',
  );
});

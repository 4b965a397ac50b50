import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { temporaryFolder } from '../../test/support/run-preparation.ts';
import { openInputSync } from './input-file.ts';

describe('a file that is not there', () => {
  const folder = temporaryFolder();
  writeFileSync(join(folder, 'cafe\u0301.png'), '');
  writeFileSync(join(folder, 'Two  Words.JPG'), '');

  it.each([
    ['caf\u00e9.png', 'the folder has "cafe\u0301.png", whose accents are decomposed'],
    ['two words.jpg', 'the folder has "Two  Words.JPG"'],
  ])('%s: names the file whose name looks the same', (name, hint) => {
    // A file system that takes both spellings for one has nothing to say.
    let message = hint;
    try {
      openInputSync(join(folder, name));
    } catch (error) {
      ({ message } = error as Error);
    }
    expect(message).toContain(hint);
  });

  it('has no hint where no name is similar', () => {
    expect(() => openInputSync(join(folder, 'other.png'))).toThrow(/\(there is no such file or folder\)$/);
    expect(() => openInputSync(join(folder, 'none', 'other.png'))).toThrow(/\(there is no such file or folder\)$/);
  });
});

import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { temporaryFolder } from '../../test/support/run-preparation.ts';
import { makeFolder, makeFolderSync } from './make-folder.ts';

describe('makeFolder', () => {
  it('creates parents, and leaves an existing folder alone', async () => {
    const folder = join(temporaryFolder(), 'a/b/c');
    await Promise.all([makeFolder(folder), makeFolder(folder)]);
    await makeFolder(folder);
    makeFolderSync(join(folder, 'd/e'));
    makeFolderSync(join(folder, 'd/e'));
    expect(existsSync(join(folder, 'd/e'))).toBe(true);
  });

  it('refuses a file, also among the parents', async () => {
    const file = join(temporaryFolder(), 'file');
    writeFileSync(file, '');
    await expect(makeFolder(file)).rejects.toThrow('a file with this name exists');
    await expect(makeFolder(join(file, 'a'))).rejects.toThrow('the folder cannot be created');
    expect(() => makeFolderSync(file)).toThrow('a file with this name exists');
    expect(() => makeFolderSync(join(file, 'a'))).toThrow('the folder cannot be created');
  });

  it.skipIf(!existsSync('/proc/self'))('ends where nothing can be created, as below /proc', async () => {
    await expect(makeFolder('/proc/mdetr-none/a/b')).rejects.toThrow(
      '/proc/mdetr-none/a/b: the folder cannot be created',
    );
    expect(() => makeFolderSync('/proc/mdetr-none/a/b')).toThrow('/proc/mdetr-none/a/b: the folder cannot be created');
  });
});

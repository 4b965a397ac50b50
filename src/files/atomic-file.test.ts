import { readdirSync, readFileSync } from 'node:fs';
import { afterAll, describe, expect, it } from 'vitest';
import { temporaryFolder } from '../../test/support/weight-files.ts';
import { MdetrError } from '../errors.ts';
import { replaceFile, writeAtomically } from './atomic-file.ts';

const folder = temporaryFolder();
afterAll(() => folder.remove());

describe('writeAtomically', () => {
  it('keeps the old file and leaves no other when writing fails', async () => {
    const path = folder.file('precious.txt', 'old');
    const before = readdirSync(folder.path);
    const failing = writeAtomically(path, async (sink) => {
      await sink.write(Buffer.from('half of the new'));
      throw new Error('out of luck');
    });
    await expect(failing).rejects.toThrow('out of luck');
    expect(readFileSync(path, 'utf8')).toBe('old');
    expect(readdirSync(folder.path)).toEqual(before);
  });

  it('replaces the old file, and overwrites earlier bytes', async () => {
    const path = folder.file('replaced.txt', 'old');
    await writeAtomically(path, async (sink) => {
      await sink.write(Buffer.from('new text'));
      await sink.overwrite(Buffer.from('NEW'), 0);
      expect(sink.position).toBe(8);
    });
    expect(readFileSync(path, 'utf8')).toBe('NEW text');
  });

  it('reports why a file cannot be written', async () => {
    const write = (path: string): Promise<void> => writeAtomically(path, () => Promise.resolve());
    await expect(write(folder.file('missing/x.pth'))).rejects.toThrow(MdetrError);
    await expect(write(folder.file('missing/x.pth'))).rejects.toThrow(
      /x\.pth: cannot be written \(there is no such file or folder\)/,
    );
    await expect(write(folder.path)).rejects.toThrow(/it is a folder/);
    expect(readdirSync(folder.path).filter((name) => name.endsWith('.tmp'))).toEqual([]);
  });
});

describe('replaceFile', () => {
  it('replaces the contents, and leaves no temporary file when it fails', async () => {
    const path = folder.file('small.txt', 'old');
    await replaceFile(path, 'new');
    expect(readFileSync(path, 'utf8')).toBe('new');
    await expect(replaceFile(folder.file('none/x.txt'), 'new')).rejects.toThrow(
      /x\.txt: cannot be written \(there is no such file or folder\)/,
    );
    await expect(replaceFile(folder.path, 'new')).rejects.toThrow(/cannot be written \(it is a folder\)/);
    expect(readdirSync(folder.path).filter((name) => name.endsWith('.tmp'))).toEqual([]);
  });
});

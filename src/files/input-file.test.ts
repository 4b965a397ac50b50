import { spawnSync } from 'node:child_process';
import { symlinkSync } from 'node:fs';
import { createServer } from 'node:net';
import { afterAll, describe, expect, it } from 'vitest';
import { temporaryFolder } from '../../test/support/weight-files.ts';
import { MdetrError } from '../errors.ts';
import { readInput, readInputSync, requireInput } from './input-file.ts';

const folder = temporaryFolder();
afterAll(() => folder.remove());

describe('readInput', () => {
  it('reads regular files, through links too', async () => {
    const path = folder.file('a.txt', 'contents');
    symlinkSync('a.txt', folder.file('link.txt'));
    expect(readInputSync(path).toString()).toBe('contents');
    expect((await readInput(folder.file('link.txt'))).toString()).toBe('contents');
  });

  it.each([
    ['a missing file', 'none.txt', /none\.txt: cannot be read \(there is no such file or folder\)/],
    ['a folder', '', /: is a folder; name a file/],
  ])('rejects %s', async (_, name, message) => {
    const path = name === '' ? folder.path : folder.file(name);
    expect(() => readInputSync(path)).toThrow(message);
    await expect(readInput(path)).rejects.toThrow(message);
    await expect(readInput(path)).rejects.toThrow(MdetrError);
    await expect(requireInput(path)).rejects.toThrow(message);
  });

  it.skipIf(process.platform === 'win32')('rejects pipes, devices and sockets at once', async () => {
    const pipe = folder.file('pipe');
    spawnSync('mkfifo', [pipe]);
    symlinkSync('/dev/zero', folder.file('zero.png'));
    const socket = folder.file('socket');
    const server = createServer().listen(socket);
    await new Promise((resolve) => server.once('listening', resolve));
    try {
      expect(() => readInputSync(pipe)).toThrow(/pipe: is a pipe; only regular files are read/);
      await expect(readInput(pipe)).rejects.toThrow(/pipe: is a pipe/);
      await expect(readInput(folder.file('zero.png'))).rejects.toThrow(/zero\.png: is a device/);
      // Linux refuses to open a socket, with a code of its own.
      await expect(readInput(socket)).rejects.toThrow(MdetrError);
    } finally {
      server.close();
    }
  });
});

import { afterAll, expect, it } from 'vitest';
import { temporaryFolder } from '../../test/support/weight-files.ts';
import { digestOfFile } from './file-digest.ts';

const folder = temporaryFolder();
afterAll(() => folder.remove());

it('digests of a file equal those of md5sum, sha1sum, sha256sum and git hash-object', async () => {
  const path = folder.file('hello.txt', 'hello\n');
  expect(await digestOfFile(path, 'md5')).toBe('b1946ac92492d2347c6235b4d2611184');
  expect(await digestOfFile(path, 'sha1')).toBe('f572d396fae9206628714fb2ce00f72e94f2258f');
  expect(await digestOfFile(path, 'sha256')).toBe('5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03');
  expect(await digestOfFile(path, 'git')).toBe('ce013625030ba8dba906f756967f9e9ca394464a');
});

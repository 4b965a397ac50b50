import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { basename } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { temporaryFolder } from '../../test/support/weight-files.ts';
import { writeAtomically } from './atomic-file.ts';
import { removeAbandoned, temporaryPath } from './temporary-path.ts';

const folder = temporaryFolder();
afterAll(() => folder.remove());

/** Name of a temporary file as a process that has ended would have made it. */
const abandoned = (target: string): string =>
  temporaryPath(target).replace(`.${process.pid}-`, `.${spawnSync(process.execPath, ['-e', '']).pid}-`);

it('removes what killed processes left of a target, and nothing else', async () => {
  const target = folder.file('model.pth');
  const kept = [
    temporaryPath(target),
    abandoned(folder.file('other.pth')),
    folder.file('model.pth.notes.tmp'),
    folder.file('model.pth.1-12345678-12345678.tmp'),
  ];
  for (const path of [...kept, abandoned(target), abandoned(`${target}.images`)]) writeFileSync(path, '');
  mkdirSync(abandoned(target));
  await removeAbandoned(target);
  expect(readdirSync(folder.path).sort()).toEqual(kept.map((path) => basename(path)).sort());
});

it('is done by the next command that writes the target', async () => {
  const target = folder.file('next.json');
  writeFileSync(abandoned(target), 'half');
  await writeAtomically(target, (sink) => sink.write(Buffer.from('{}')));
  expect(readdirSync(folder.path).filter((name) => name.startsWith('next'))).toEqual(['next.json']);
});

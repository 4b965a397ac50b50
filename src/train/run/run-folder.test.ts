import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { temporaryFolder } from '../../../test/support/weight-files.ts';
import { thisProcess } from '../../files/owner.ts';
import { prepareRunFolder, writeStages } from './run-folder.ts';

const root = temporaryFolder();
afterAll(() => root.remove());

const fresh = { resume: false, isWriter: true };
const deadPid = (): number => spawnSync(process.execPath, ['-e', '']).pid;

describe('prepareRunFolder', () => {
  it('locks the folder until it is released', async () => {
    const folder = root.file('locked');
    const run = await prepareRunFolder(folder, fresh);
    await expect(prepareRunFolder(folder, { ...fresh, resume: true })).rejects.toThrow(
      /another training is running in this folder \(process \d+ on .*\); wait for it, or delete .*run\.lock/,
    );
    run.release();
    (await prepareRunFolder(folder, fresh)).release();
  });

  it('takes over the folder of a process that was killed, and removes its temporary files only', async () => {
    const folder = root.file('killed');
    (await prepareRunFolder(folder, fresh)).release();
    const pid = deadPid();
    writeFileSync(join(folder, 'run.lock'), JSON.stringify({ ...thisProcess(), pid }));
    writeFileSync(join(folder, 'config.json'), '{}');
    writeFileSync(join(folder, 'notes.tmp'), 'mine');
    mkdirSync(join(folder, 'validation-cache.tmp'));
    (await prepareRunFolder(folder, fresh)).release();
    expect(readdirSync(folder).sort()).toEqual(['.mdetr-run', 'config.json', 'notes.tmp']);
  });

  it.each(['config.json', 'log.jsonl', 'last', 'tensorboard'])("leaves the user's %s alone", async (name) => {
    const folder = root.file(`own-${name}`);
    mkdirSync(folder);
    writeFileSync(join(folder, name), 'mine');
    await expect(prepareRunFolder(folder, fresh)).rejects.toThrow(
      `${folder}: has ${name}, which a run would replace, and is not the folder of a run`,
    );
    expect(readdirSync(folder)).toEqual([name]);
    expect(readFileSync(join(folder, name), 'utf8')).toBe('mine');
  });

  it('accepts a folder with other files', async () => {
    const folder = root.file('notes');
    mkdirSync(folder);
    writeFileSync(join(folder, 'notes.txt'), 'mine');
    (await prepareRunFolder(folder, fresh)).release();
    expect(existsSync(join(folder, 'notes.txt'))).toBe(true);
  });
});

it('writeStages replaces its own list only', async () => {
  const folder = root.file('stages');
  await writeStages(folder, ['first', 'second']);
  await writeStages(folder, ['first']);
  writeFileSync(join(folder, 'stages.json'), '{"mine": 1}');
  await expect(writeStages(folder, ['first'])).rejects.toThrow(/is not a list of training stages/);
});

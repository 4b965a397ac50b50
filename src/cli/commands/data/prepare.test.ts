import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { fixtureFolder } from '../../../../test/support/run-preparation.ts';
import { preparations } from '../../../datasets/preparations.ts';
import { UsageError } from '../../../errors.ts';
import { dataCommand } from '../data.ts';

let folder: string;
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'mdetr-cli-prepare-'))));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** Runs `mdetr data prepare …` and returns its output. */
const run = async (...args: string[]): Promise<string> => {
  let printed = '';
  const spy = vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    printed += String(text);
    return true;
  });
  try {
    const prepare = dataCommand().commands.find((command) => command.name() === 'prepare')!;
    for (const each of [prepare, ...prepare.commands])
      each.exitOverride().configureOutput({ writeErr: () => undefined, writeOut: (text) => (printed += text) });
    await prepare.parseAsync(args, { from: 'user' });
  } finally {
    spy.mockRestore();
  }
  return printed;
};

describe('mdetr data prepare', () => {
  it('lists the datasets', async () => {
    const listed = await run('--list');
    for (const { name } of preparations()) expect(listed).toMatch(new RegExp(`^${name.replace('+', '\\+')} `, 'm'));
    expect(listed.split('\n')).toHaveLength(preparations().length + 2);
  });

  it.each(preparations().map(({ name }) => name))('%s describes the required files', async (name) => {
    const explained = await run(name, '--explain');
    expect(explained).toMatch(/\nFiles below --from\n( +\S+ .*https?:\/\/\S+.*\n)+$/);
    // Lines are wrapped at words.
    for (const line of explained.split('\nFiles below')[0]!.split('\n'))
      expect(line.length, line).toBeLessThanOrEqual(122);
  });

  it('writes the files and reports what was left out', async () => {
    const from = fixtureFolder('flickr30k');
    const printed = await run(
      'flickr30k',
      '--from',
      from,
      '--out',
      folder,
      '--split',
      'val,train',
      '--boxes',
      'separate',
    );
    expect(printed).toBe(
      `${join(folder, 'final_flickr_separateGT_train.json')}: 2 rows, 5 boxes\n` +
        `${join(folder, 'final_flickr_separateGT_val.json')}: 3 rows, 3 boxes\n` +
        'left out: phrases without boxes: 3 (1001.txt line 1, 1001.txt line 2, 1002.txt line 3)\n' +
        'note: boxes that extend beyond the image, which readers clip: 2 (1002.xml, 1002.xml)\n',
    );
    expect(readdirSync(folder).filter((name) => name.endsWith('.json') && !name.startsWith('.'))).toHaveLength(2);
    const json = JSON.parse(
      await run('lvis', '--from', fixtureFolder('lvis'), '--out', folder, '--split', 'val', '--json'),
    );
    expect(json).toMatchObject({ files: [{ images: 6, annotations: 4 }, {}, {}], leftOut: [], notes: [] });
  });

  it.each<[args: string[], message: string]>([
    [[], 'the name of a dataset is missing'],
    [['flicker', '--from', 'a', '--out', 'b'], 'unknown dataset "flicker"; choose from flickr30k, refcoco'],
    [['--lst'], "unknown option '--lst'"],
    [['flickr30k'], '--from DIR is missing'],
    [['flickr30k', '--from', '.'], '--out DIR is missing'],
    [['flickr30k', '--from', '.', '--out', '.', '--split', 'dev'], '--split dev: '],
    [['coco', '--from', fixtureFolder('coco'), '--out', 'x', '--split', 'val', '--seed', '1.5'], '--seed 1.5: must be'],
  ])('%j is a usage error', async (args, message) => {
    const failure = run(...args);
    await expect(failure).rejects.toThrow(message);
    await expect(failure).rejects.toBeInstanceOf(UsageError);
  });

  it('names a missing folder', async () => {
    await expect(run('phrasecut', '--from', join(folder, 'no'), '--out', folder)).rejects.toThrow(
      /no: no such folder\. "mdetr data prepare phrasecut --explain" lists/,
    );
  });
});

import { linkSync, mkdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { temporaryFolder } from '../../test/support/weight-files.ts';
import { UsageError } from '../errors.ts';
import { OutputRule } from './output-rule.ts';

const folder = temporaryFolder();
afterAll(() => folder.remove());

const photo = folder.file('photo.png', 'photo');
const old = folder.file('old.png', 'drawing of an earlier call');
symlinkSync('photo.png', folder.file('link.png'));
linkSync(photo, folder.file('hard.png'));
mkdirSync(folder.file('model'));
const weights = folder.file('model/model.safetensors', 'weights');

describe('OutputRule', () => {
  it('lets a call replace a regular file that it names, and write new ones', () => {
    const rule = new OutputRule({ inputs: [photo, undefined, folder.file('missing.png')] });
    expect(() => rule.named(old, '--out old.png')).not.toThrow();
    expect(() => rule.named(folder.file('new.png'), '--json new.png')).not.toThrow();
    expect(() => rule.derived(folder.file('new-2.png'), '--out DIR/')).not.toThrow();
  });

  it('never replaces an input, by whatever name or link', () => {
    for (const input of [photo, folder.file('link.png'), folder.file('hard.png')])
      for (const output of ['photo.png', 'link.png', 'hard.png', 'model/../photo.png'])
        for (const overwrite of [false, true]) {
          const rule = new OutputRule({ inputs: [input], overwrite });
          expect(() => rule.named(folder.file(output), '--out X')).toThrow(/^--out X: .*is an input of this call/);
          expect(() => rule.derived(folder.file(output), '--out X')).toThrow(UsageError);
        }
  });

  it('counts the files of an input folder as inputs', () => {
    const rule = new OutputRule({ inputs: [folder.file('model')] });
    expect(() => rule.named(weights, '--json W')).toThrow(/is an input of this call/);
    expect(() => rule.named(photo, '--json P')).not.toThrow();
  });

  it('never replaces an image of a folder that the call reads, by whatever link', () => {
    mkdirSync(folder.file('images'));
    const image = folder.file('images/0.png', '\x89PNG\r\n\x1a\n\0');
    const text = folder.file('images/predictions.jsonl', '{}\n');
    symlinkSync('images/0.png', folder.file('linked.jsonl'));
    const rule = new OutputRule({ imageFolders: [folder.file('images'), folder.file('missing')] });
    expect(() => rule.named(image, '--json X')).toThrow(/^--json X: .*0\.png is among the images of this call/);
    expect(() => rule.named(folder.file('linked.jsonl'), '--json X')).toThrow('is among the images of this call');
    expect(() => rule.named(text, '--json X')).not.toThrow();
    expect(() => rule.named(folder.file('images/new.jsonl'), '--submission X')).not.toThrow();
  });

  it('never replaces an image that a list names, and reads the list only for outputs that are no text', async () => {
    const image = folder.file('listed.png', '\x89PNG\r\n\x1a\n\0');
    const text = folder.file('old.jsonl', '{}\n');
    linkSync(image, join(folder.path, 'twin.png'));
    let reads = 0;
    const listed = async function* () {
      reads++;
      yield* await Promise.resolve([folder.file('missing.png'), join(folder.path, 'twin.png')]);
    };
    const rule = new OutputRule({ listed, overwrite: true });
    rule.named(text, '--results X');
    rule.derived(folder.file('new.png'), '--out X');
    await rule.checkListed();
    expect(reads).toBe(0);
    rule.derived(image, '--out X');
    await rule.checkListed(2);
    expect(reads).toBe(0);
    await expect(rule.checkListed()).rejects.toThrow(
      /^--out X: .*listed\.png is an input of this call \(.*twin\.png\)/,
    );
    const unknown = new OutputRule({ hasUnknownInputs: true });
    expect(() => unknown.named(text, '--results X')).not.toThrow();
    expect(() => unknown.named(image, '--results X')).toThrow(
      /is no text, and may be an image that standard input lists/,
    );
  });

  it('replaces names that follow from a folder, pattern or default only with overwrite', () => {
    expect(() => new OutputRule().derived(old, '--out DIR/')).toThrow(
      /^--out DIR\/: .*old\.png exists; pass --overwrite to replace it/,
    );
    expect(() => new OutputRule({ overwrite: true }).derived(old, '--out DIR/')).not.toThrow();
  });

  it('replaces an older output of the same kind, which has its mark', () => {
    const renew =
      (mark: string, options = {}) =>
      () =>
        new OutputRule(options).renewed(old, '--report DIR', 'report', mark);
    expect(renew('an earlier call')).not.toThrow();
    expect(renew('a report')).toThrow(/^--report DIR: .*old\.png is no report; choose another folder/);
    expect(renew('a report', { overwrite: true })).not.toThrow();
    expect(renew('an earlier call', { inputs: [old] })).toThrow('is an input of this call');
  });

  it('refuses folders and devices', () => {
    expect(() => new OutputRule().named(folder.path, '--out D')).toThrow(/is a folder; only regular files are written/);
    if (process.platform !== 'win32')
      expect(() => new OutputRule({ overwrite: true }).named('/dev/null', '--out N')).toThrow(/is a device/);
  });

  it('lets a call write a new or empty folder, and others only with overwrite', () => {
    mkdirSync(folder.file('exported'));
    for (const name of ['none', 'exported']) new OutputRule().folder(folder.file(name), '--results D');
    folder.file('exported/a.xml', '');
    expect(() => new OutputRule().folder(folder.file('exported'), '--results D')).toThrow(
      /^--results D: .*exported is a folder with files in it; pass --overwrite/,
    );
    new OutputRule({ overwrite: true }).folder(folder.file('exported'), '--results D');
    expect(() => new OutputRule({ overwrite: true }).folder(folder.file('exported/a.xml'), '--results D')).toThrow(
      /a\.xml is a file, but a folder is written/,
    );
  });

  it('refuses one file for two outputs', () => {
    const rule = new OutputRule();
    rule.named(folder.file('metrics.json'), '--json metrics.json');
    expect(() => rule.named(folder.file('model/../metrics.json'), '--worst metrics.json')).toThrow(
      /^--worst metrics\.json: --json metrics\.json writes the same file/,
    );
  });
});

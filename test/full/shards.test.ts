import { copyFileSync, existsSync, readFileSync, readdirSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makePhotoFolder, PHOTO_NAMES, PHOTOS_CALL as call, resultKeys } from '../support/photo-folder.ts';
import { CommandLine, expectRefusal } from '../support/run-mdetr.ts';

let cli: CommandLine;
beforeAll(() => {
  cli = new CommandLine();
  makePhotoFolder(cli);
});
afterAll(() => cli.remove());

describe('--results', () => {
  it('survives kill -9', async () => {
    const path = cli.file('killed.json.journal.jsonl');
    const args = [...call, '--results', 'killed.json', '--format', 'coco', '--batch-size', '1'];
    const killed = await cli.start(args, (child) => {
      const timer = setInterval(() => {
        if (!existsSync(path) || readFileSync(path).length === 0) return;
        clearInterval(timer);
        child.kill('SIGKILL');
      }, 2);
      child.on('close', () => clearInterval(timer));
    });
    expect(killed.signal).toBe('SIGKILL');
    expectRefusal(await cli.call(...args), 2, /left of an interrupted run; pass --resume/);
    const resumed = await cli.call(...args, '--resume');
    expect(resumed.status, resumed.stderr).toBe(0);
    expect(resumed.stderr).toContain('resumed: ');
    const { images } = JSON.parse(readFileSync(cli.file('killed.json'), 'utf8')) as { images: { file_name: string }[] };
    expect(images.map(({ file_name: name }) => name).sort()).toEqual(
      PHOTO_NAMES.filter((name) => name !== 'image-3.png')
        .map((name, i) => `photos/${i > 5 ? 'more/' : ''}${name}`)
        .sort(),
    );
    expect(readdirSync(cli.folder).filter((name) => name.includes('journal'))).toEqual([]);
  });

  it('of shards are merged; what is missing or doubled is named', async () => {
    for (const shard of ['0/2', '1/2'])
      expect((await cli.call(...call, '--results', 'part.jsonl', '--shard', shard)).status).toBe(0);
    const merged = await cli.call('merge', 'part.jsonl', '--results', 'merged.jsonl');
    expect(merged.status, merged.stderr).toBe(0);
    expect((await cli.call(...call, '--results', 'found.jsonl')).status).toBe(0);
    const keysOf = (path: string): string[] => resultKeys(cli.file(path)).sort();
    expect(keysOf('merged.jsonl')).toEqual(keysOf('found.jsonl'));
    copyFileSync(cli.file('part.00000-of-00002.jsonl'), cli.file('twice.00000-of-00002.jsonl'));
    expectRefusal(await cli.call('merge', 'twice.jsonl', '--results', 'no.jsonl'), 1, /1 of 2 parts are missing: 1/);
    copyFileSync(cli.file('part.00000-of-00002.jsonl'), cli.file('twice.00001-of-00002.jsonl'));
    expectRefusal(await cli.call('merge', 'twice.jsonl', '--results', 'no.jsonl'), 1, /images are in several parts/);
    expect(existsSync(cli.file('no.jsonl'))).toBe(false);
    expectRefusal(await cli.call(...call, '--shard', '0/2'), 2, /--shard needs a file/);
  });
});

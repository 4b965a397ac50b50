import { spawnSync } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';
import { Random } from '../../src/random/random.ts';
import { Job } from 'kubernetes-models/batch/v1';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { makePhotoFolder, PHOTO_NAMES, PHOTOS_CALL as call, resultKeys } from '../support/photo-folder.ts';
import { CommandLine, expectRefusal, projectRoot, scene } from '../support/run-mdetr.ts';

vi.setConfig({ testTimeout: 280_000 });

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
    writeFileSync(cli.file('part.00001-of-00002.jsonl.unfinished'), '');
    const unfinished = await cli.call('merge', 'part.jsonl', '--results', 'no.jsonl');
    expectRefusal(unfinished, 1, /1 of 2 parts are unfinished: 1; run them again with --resume/);
    rmSync(cli.file('part.00001-of-00002.jsonl.unfinished'));
    const check = (...images: readonly string[]) =>
      cli.call('merge', 'part.jsonl', '--results', 'no.jsonl', '--images', ...images);
    expectRefusal(await check('photos', '--recursive'), 1, /1 of 9 images have no results: photos\/image-3\.png/);
    expectRefusal(await check('photos/more'), 1, /6 results more than images, for instance of photos\/image-0\.png/);
    expect(existsSync(cli.file('no.jsonl'))).toBe(false);
    expectRefusal(await cli.call(...call, '--shard', '0/2'), 2, /--shard needs a file/);
  });
});

describe('a fleet of four shards', () => {
  it('whose workers are killed at random moments has every one of 1,000 images exactly once', async () => {
    const IMAGES = 1000;
    const lines = Array.from({ length: IMAGES }, (_, i) => `thousand/${String(i).padStart(4, '0')}.png`);
    mkdirSync(cli.file('thousand'));
    const pixels = await sharp(scene).resize(96, 64).raw().toBuffer();
    for (const [i, line] of lines.entries()) {
      // A pixel that differs makes each a different image.
      pixels.writeUInt16LE(i, 0);
      await sharp(pixels, { raw: { width: 96, height: 64, channels: 3 } })
        .png({ compressionLevel: 1 })
        .toFile(cli.file(line));
    }
    writeFileSync(cli.file('thousand.txt'), lines.join('\n'));
    const random = Random.of(7, 'fleet');
    let kills = 0;
    const work = async (index: number): Promise<void> => {
      const part = cli.file(`fleet.0000${index}-of-00004.jsonl`);
      const args = ['detect', '@thousand.txt', '--caption', 'a cube', '--results', 'fleet.jsonl', '--threads', '1'];
      for (let call = 0; ; call++) {
        // A worker is killed once it has written a random number of bytes more, so that each call gets further.
        const before = existsSync(part) ? statSync(part).size : 0;
        const until = before + random.integer(1, 60_000);
        const ended = await cli.start([...args, '--shard', `${index}/4`, '--resume'], (child) => {
          if (call === 3) return;
          const timer = setInterval(() => {
            if (existsSync(part) && statSync(part).size >= until) child.kill('SIGKILL');
          }, 1);
          child.on('close', () => clearInterval(timer));
        });
        if (ended.signal === null) {
          expect(ended.status, ended.stderr).toBe(0);
          return;
        }
        kills++;
        if (call > 0) continue;
        const merged = await cli.call('merge', 'fleet.jsonl', '--results', 'thousand.jsonl');
        expect(merged.status).toBe(1);
        expect(merged.stderr).toMatch(/of 4 parts are (missing|unfinished)/);
      }
    };
    for (const pair of [
      [0, 1],
      [2, 3],
    ])
      await Promise.all(pair.map(work));
    expect(kills).toBeGreaterThan(3);
    const merged = await cli.call('merge', 'fleet.jsonl', '--results', 'all.jsonl', '--images', '@thousand.txt');
    expect(merged.status, merged.stderr).toBe(0);
    expect(resultKeys(cli.file('all.jsonl')).sort()).toEqual(lines.map((line) => `${line} 0`));
  });
});

describe('recipes of deploy/', () => {
  const isThere = (command: string): boolean => spawnSync(command, ['--version']).status === 0;
  /** Names of the images with results, without their folder. */
  const imagesOf = (path: string): string[] => resultKeys(path).map((key) => key.replace(/^.*\//, ''));
  const expected = PHOTO_NAMES.filter((name) => name !== 'image-3.png').flatMap((name) => [`${name} 0`, `${name} 1`]);

  it('an indexed job of Kubernetes fits its schema, and its containers process every image once', async () => {
    const documents = parseAllDocuments(readFileSync(join(projectRoot, 'deploy/indexed-job.yaml'), 'utf8'));
    expect(documents.flatMap(({ errors }) => errors)).toEqual([]);
    expect(documents).toHaveLength(1);
    const job = new Job(documents[0]!.toJS() as never);
    expect(() => job.validate()).not.toThrow();
    expect(() => new Job({ ...job.toJSON(), spec: { completions: 'two' } } as never).validate()).toThrow();
    const { completions, completionMode, template } = job.spec!;
    const [container] = template.spec!.containers;
    expect(completionMode).toBe('Indexed');
    expect(container!.env).toEqual([{ name: 'JOB_COMPLETIONS', value: String(completions) }]);
    const args = container!.args!.map((text) => text.replace('/data/images', 'photos').replace('/data/', ''));
    for (const index of ['0', '1']) {
      const env = { ...cli.env, JOB_COMPLETIONS: '2', JOB_COMPLETION_INDEX: index };
      const ended = await cli.start(args, undefined, env);
      expect(ended.status, ended.stderr).toBe(0);
    }
    const merged = await cli.call('merge', 'found.jsonl', '--results', 'indexed.jsonl');
    expect(merged.status, merged.stderr).toBe(0);
    expect(imagesOf(cli.file('indexed.jsonl')).sort()).toEqual(expected);
  });

  const hasBash = isThere('bash');
  it.skipIf(!hasBash)(
    `a script of a Slurm array, run as its tasks are, processes every image once${hasBash ? '' : ' (needs bash)'}`,
    async () => {
      const script = join(projectRoot, 'deploy/slurm-detect.sh');
      const run = (...args: readonly string[]) =>
        spawnSync('bash', [script, ...args], {
          cwd: cli.folder,
          encoding: 'utf8',
          env: {
            ...cli.env,
            MDETR: `${process.execPath} ${join(projectRoot, 'dist/cli/main.js')}`,
            SLURM_ARRAY_TASK_ID: '2',
            SLURM_ARRAY_TASK_COUNT: '1',
            SLURM_ARRAY_TASK_MIN: '2',
          },
        });
      expect(run('photos').stderr).toMatch(/a file with a caption in each line/);
      // The second time it continues and finds everything done.
      for (const more of ['', 'resumed: ']) {
        const { status, stderr } = run('photos', 'captions.txt', 'slurm.jsonl');
        expect(status, stderr).toBe(0);
        expect(stderr).toContain(more);
      }
      const merged = await cli.call('merge', 'slurm.jsonl', '--results', 'array.jsonl');
      expect(merged.status, merged.stderr).toBe(0);
      expect(imagesOf(cli.file('array.jsonl')).sort()).toEqual(expected);
    },
  );
});

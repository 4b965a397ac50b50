import { spawn } from 'node:child_process';
import { mkdirSync, readFileSync, readdirSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makePhotoFolder, PHOTO_NAMES, PHOTOS_CALL as call, resultKeys } from '../support/photo-folder.ts';
import { CommandLine, expectRefusal, projectRoot, scene } from '../support/run-mdetr.ts';

let cli: CommandLine;
beforeAll(() => {
  cli = new CommandLine();
  makePhotoFolder(cli);
});
afterAll(() => cli.remove());

const CAPTION = ['--caption', 'a cube'];
describe('images of a call', () => {
  it('may be a folder with its subfolders, a pattern, a list, a URL of a file and standard input', async () => {
    const whole = PHOTO_NAMES.filter((name) => name !== 'image-3.png');
    const imagesOf = async (...args: string[]): Promise<string[]> =>
      (await cli.json('detect', ...args, ...CAPTION)).map(({ image }) => String(image));
    expect(await imagesOf('photos')).toEqual(whole.slice(0, 6).map((name) => `photos/${name}`));
    expect(await imagesOf('photos/**/*.png')).toHaveLength(8);
    writeFileSync(cli.file('photos/list.txt'), '# two\nmore/image-7.png\r\n\nphotos/image-0.png\n');
    expect(await imagesOf('@photos/list.txt')).toEqual(['photos/more/image-7.png', 'photos/image-0.png']);
    const url = `file://${cli.file('photos/image-0.png')}`;
    expect(await imagesOf(url)).toEqual([url]);
    const piped = await new Promise<string>((resolve) => {
      let output = '';
      const child = spawn(
        process.execPath,
        [join(projectRoot, 'dist/cli/main.js'), 'detect', '-', ...CAPTION, '--json'],
        {
          env: cli.env,
        },
      );
      child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
      child.on('close', () => resolve(output));
      child.stdin.end(readFileSync(scene));
    });
    expect(JSON.parse(piped)).toMatchObject({ image: 'stdin', width: 480 });
  });

  it('may be a list on standard input, whose images are processed as their lines come', async () => {
    const results: string[] = [];
    const ended = await cli.start(['detect', '@-', ...CAPTION, '--json'], (child) => {
      child.stdin!.write('photos/image-0.png\nphotos/none.png\n');
      child.stdout!.on('data', (chunk: Buffer) => {
        results.push(chunk.toString());
        // The list ends only after the first result was there.
        if (results.length === 1) child.stdin!.end('photos/image-1.png');
      });
    });
    expect(ended.status, ended.stderr).toBe(0);
    const images = results.join('').trim().split('\n');
    expect(images.map((line) => (JSON.parse(line) as { image: string }).image)).toEqual(
      [0, 1].map((i) => `photos/image-${i}.png`),
    );
    expect(ended.stderr).toContain('1 of 3 images were broken and skipped');
  });

  it('may be several for refer and ask, with captions from a file', async () => {
    const lines = await cli.json('refer', 'photos/image-0.png', 'photos/image-1.png', '--expression', '@captions.txt');
    expect(lines.map(({ image, expression }) => [image, expression])).toEqual(
      ['photos/image-0.png', 'photos/image-1.png'].flatMap((image) => [
        [image, 'a red cube'],
        [image, 'a ball'],
      ]),
    );
    expect(await cli.json('ask', 'photos/more', '--question', 'is there a cube?')).toHaveLength(2);
  });

  it('stop at a broken one that was named, and report it in a folder', async () => {
    expectRefusal(
      await cli.call('detect', 'photos/image-3.png', ...CAPTION),
      1,
      /image-3\.png: the image data are damaged/,
    );
    const { status, stderr } = await cli.call('detect', 'photos', ...CAPTION);
    expect(status, stderr).toBe(0);
    expect(stderr).toContain('1 of 7 images were broken and skipped');
  });

  it('need to exist, and URLs to be allowed', async () => {
    mkdirSync(cli.file('empty'));
    expectRefusal(await cli.call('detect', 'empty', ...CAPTION), 1, /empty: has no image files; pass --recursive/);
    expectRefusal(await cli.call('detect', 'none/*.png', ...CAPTION), 1, /no image file matches this pattern/);
    expectRefusal(
      await cli.call('detect', 'http://127.0.0.1:1/a.png', ...CAPTION),
      1,
      /not fetched unless .*--allow-urls/,
    );
    expectRefusal(
      await cli.call('detect', 'http://127.0.0.1:1/a.png', ...CAPTION, '--allow-urls'),
      1,
      /an address of this machine or of a private network/,
    );
    expectRefusal(await cli.call('detect', scene, '--caption', '@none.txt'), 1, /none\.txt: cannot be read/);
  });
});

describe('--results', () => {
  it('has every image exactly once, also after it was cut off anywhere and resumed', async () => {
    const result = await cli.call(...call, '--results', 'found.jsonl');
    expect(result.status, result.stderr).toBe(0);
    expect(result.stdout).toBe('');
    const full = resultKeys(cli.file('found.jsonl'));
    expect(full).toHaveLength(16);
    const length = readFileSync(cli.file('found.jsonl')).length;
    for (const cut of [length - 1, Math.floor(length / 3)]) {
      truncateSync(cli.file('found.jsonl'), cut);
      const resumed = await cli.call(...call, '--results', 'found.jsonl', '--resume');
      expect(resumed.status, resumed.stderr).toBe(0);
      expect(resultKeys(cli.file('found.jsonl'))).toEqual(full);
    }
    expectRefusal(
      await cli.call('detect', 'photos', '--caption', 'other', '--results', 'found.jsonl', '--resume'),
      2,
      /line 1: is a result of another call/,
    );
  });

  it('needs its options together, and never replaces an input', async () => {
    expectRefusal(await cli.call(...call, '--resume'), 2, /--resume continues the file of --results/);
    expectRefusal(await cli.call(...call, '--format', 'coco'), 2, /--format needs a file: --results PATH/);
    expectRefusal(
      await cli.call(...call, '--results', 'a.jsonl', '--classes', 'captions.txt'),
      2,
      /--classes needs a format/,
    );
    expectRefusal(await cli.call(...call, '--results', 'a.json', '--format', 'coco-results'), 2, /--annotations FILE/);
    expectRefusal(await cli.call(...call, '--results', 'photos/image-0.png'), 2, /is an input of this call/);
    const named = await cli.call(...call, '--results', 'labels', '--format', 'yolo', '--classes', 'captions.txt');
    expect(named.status, named.stderr).toBe(0);
    expect(readdirSync(cli.file('labels')).sort()).toEqual(['data.yaml', 'labels']);
    expect(readdirSync(cli.file('labels/labels'))).toHaveLength(8);
  });
});

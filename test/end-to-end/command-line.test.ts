import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sharedReference } from '../support/reference-case.ts';
import {
  CommandLine,
  expectRefusal,
  type Finished,
  hasTinyCheckpoint,
  projectRoot,
  roberta,
  scene,
  tinyCheckpoint,
} from '../support/run-mdetr.ts';

let cli: CommandLine;
let folder: string;
beforeAll(() => {
  cli = new CommandLine();
  folder = cli.folder;
});
afterAll(() => cli.remove());

const mdetr = (...args: string[]): Promise<Finished> => cli.call(...args);

describe('detect', () => {
  it('prints one JSON object per image and caption, and draws', async () => {
    const out = join(folder, 'drawn');
    mkdirSync(out);
    const result = await mdetr(
      'detect',
      scene,
      '--caption',
      'a red cube',
      '--caption',
      'the spheres',
      '--json',
      '--threshold',
      '0.0001',
      '--masks',
      '--out',
      `${out}/`,
    );
    expect(result.status, result.stderr).toBe(0);
    const lines = result.stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(lines.map(({ caption }) => caption)).toEqual(['a red cube', 'the spheres']);
    for (const line of lines) {
      expect(line).toMatchObject({ image: scene, width: 480, height: 320 });
      expect(Object.keys(line['timing_ms'] as object)).toEqual(['preprocess', 'model', 'postprocess']);
      const detections = line['detections'] as {
        box: number[];
        score: number;
        spans: unknown[];
        mask: { size: number[]; counts: string };
      }[];
      expect(detections.length).toBeGreaterThan(0);
      expect(detections[0]!.box).toHaveLength(4);
      expect(detections[0]!.mask.size).toEqual([320, 480]);
    }
    expect(readdirSync(out)).toHaveLength(2);
  });

  it('gives the same boxes from compiled and from cached programs', async () => {
    const boxes = async (): Promise<unknown> =>
      (
        JSON.parse((await mdetr('detect', scene, '--caption', 'a cube', '--json', '--threshold', '0.01')).stdout) as {
          detections: unknown;
        }
      ).detections;
    expect(await boxes()).toEqual(await boxes());
  });

  it('works in two processes that fill one empty cache', async () => {
    const own = { ...cli.env, MDETR_CACHE: join(folder, 'cold') };
    const args = ['detect', scene, '--caption', 'a cube', '--json', '--threshold', '0.01'];
    const run = () => cli.start(args, undefined, own);
    const results = await Promise.all([run(), run()]);
    expect(results.map(({ status }) => status)).toEqual([0, 0]);
    const detections = results.map(({ stdout }) => (JSON.parse(stdout) as { detections: unknown }).detections);
    expect(detections[0]).toEqual(detections[1]);
  });

  it.skipIf(!hasTinyCheckpoint)('runs an official checkpoint on a photo (needs ../shared/reference)', async () => {
    const photo = join(sharedReference, 'images/dog.jpg');
    const image = join(folder, 'boxes.png');
    const result = await mdetr(
      'detect',
      photo,
      '--caption',
      'a dog and a bicycle',
      '--model',
      tinyCheckpoint,
      '--tokenizer',
      roberta,
      '--json',
      '--threshold',
      '0.5',
      '--out',
      image,
    );
    expect(result.status, result.stderr).toBe(0);
    expect(JSON.parse(result.stdout)).toMatchObject({ width: 768, height: 576 });
    expect(existsSync(image)).toBe(true);
  });
});

describe('refer and ask', () => {
  it('print the best box, and the answer with its probability', async () => {
    const refer = JSON.parse((await mdetr('refer', scene, '--expression', 'the leftmost cube', '--json')).stdout) as {
      best: { box: number[] };
    };
    expect(refer.best.box).toHaveLength(4);
    const ask = JSON.parse((await mdetr('ask', scene, '--question', 'how many cubes are there?', '--json')).stdout) as {
      answers: unknown[];
    };
    expect(ask).toMatchObject({ question: 'how many cubes are there?' });
    expect(ask.answers.length).toBeGreaterThan(1);
  });
});

describe('bad input', () => {
  const cases: readonly (readonly [name: string, make: (path: string) => Promise<void> | void, message: RegExp])[] = [
    ['missing', () => undefined, /no such file/],
    ['empty', (path) => writeFileSync(path, ''), /empty/],
    ['not an image', (path) => writeFileSync(path, 'plain text'), /image/],
    ['a folder', (path) => mkdirSync(path), /folder/],
    ['truncated', (path) => writeFileSync(path, readFileSync(scene).subarray(0, 5000)), /damaged|incomplete/],
    [
      'too narrow',
      async (path) => {
        await sharp({ create: { width: 20_000, height: 1, channels: 3, background: 'red' } })
          .png()
          .toFile(path);
      },
      /narrow|longer side/,
    ],
    [
      'too large',
      async (path) => {
        await sharp({
          create: { width: 8_000, height: 8_000, channels: 3, background: 'black' },
          limitInputPixels: false,
        })
          .png({ compressionLevel: 1 })
          .toFile(path);
      },
      /pixels/,
    ],
  ];
  it.each(cases)('refuses an image that is %s', async (name, make, message) => {
    const path = join(folder, `bad ${name}.png`);
    await make(path);
    const out = join(folder, `never ${name}.png`);
    expectRefusal(await mdetr('detect', path, '--caption', 'a cube', '--out', out), 1, message);
    expect(existsSync(out)).toBe(false);
  });

  it('skips and counts broken images with --skip-broken', async () => {
    const result = await mdetr(
      'detect',
      join(folder, 'gone.png'),
      scene,
      '--caption',
      'a cube',
      '--skip-broken',
      '--json',
    );
    expect(result.stdout.trim().split('\n')).toHaveLength(1);
    expect(result.stderr).toMatch(/gone\.png/);
  });

  it('refuses wrong calls with exit code 2', async () => {
    expectRefusal(await mdetr('detect', scene), 2, /--caption/);
    expectRefusal(await mdetr('detect', scene, '--caption', 'a', '--threshold', '7'), 2, /threshold/);
    expectRefusal(await mdetr('detect', scene, '--caption', 'a', '--out', 'boxes.xyz'), 2, /xyz|png/i);
    expectRefusal(await mdetr('nonsense'), 2, /nonsense/);
    expectRefusal(await mdetr('help', 'nonsense'), 2, /unknown command 'nonsense'/);
    expectRefusal(await mdetr('cache', 'empty'), 2, /there is no "mdetr cache empty": it is list, clear or path/);
    expectRefusal(await mdetr('data', 'check'), 2, /missing required argument 'file' \(see mdetr data check --help\)/);
    expectRefusal(await mdetr('convert', 'default', 'model.onnx'), 2, /unknown format \.onnx; use \.safetensors/);
    expectRefusal(
      await mdetr('data', 'prepare', 'lvis', '--split', 'dev', '--from', '.', '--out', 'o'),
      2,
      /lvis has the splits/,
    );
  });

  it('names missing folders, and files in the place of folders', async () => {
    const rows = join(folder, 'rows.json');
    const image = { id: 1, file_name: 'a.png', width: 4, height: 4, caption: 'a cube' };
    writeFileSync(rows, JSON.stringify({ images: [image], annotations: [] }));
    const missing = /nowhere: there is no such folder of images \(--images\)/;
    expectRefusal(await mdetr('evaluate', '--task', 'coco', '--annotations', rows, '--images', 'nowhere'), 1, missing);
    expectRefusal(await mdetr('data', 'show', rows, '--images', 'nowhere', '--out', 'x.html'), 1, missing);
    const page = await mdetr('data', 'show', rows, '--images', folder, '--out', 'nowhere/x.html');
    expectRefusal(page, 1, /nowhere.x\.html: cannot be written \(there is no such file or folder\)/);
    const scenes = await mdetr('scenes', '--out', rows, '--images', '1');
    expect(scenes.status).toBe(1);
    expect(scenes.stderr).toMatch(/rows\.json: cannot be written \(a part of its path is a file, not a folder\)/);
  });

  it('refuses captions that are too long, and broken or unknown models', async () => {
    expectRefusal(await mdetr('detect', scene, '--caption', 'cube '.repeat(100)), 1, /tokens/);
    const nowhere = await mdetr('detect', scene, '--caption', 'a', '--model', 'no-such-model');
    expectRefusal(nowhere, 1, /no-such-model.*"mdetr pull --list"/);
    expectRefusal(await mdetr('detect', scene, '--caption', 'a', '--device', 'abacus'), 1, /abacus/);
    const broken = join(folder, 'broken.pth');
    writeFileSync(broken, 'not a checkpoint');
    expectRefusal(
      await mdetr('detect', scene, '--caption', 'a', '--model', broken, '--tokenizer', roberta),
      1,
      /broken\.pth/,
    );
    const truncated = join(folder, 'cut.safetensors');
    writeFileSync(truncated, Buffer.from([255, 255, 255, 255, 0, 0, 0, 0, 123]));
    expectRefusal(await mdetr('info', truncated), 1, /cut\.safetensors/);
  });
});

describe('convert, info and cache', () => {
  it('info --system tells versions and the runtime in use', async () => {
    const result = await mdetr('info', '--system', '--json');
    expect(result.status, result.stderr).toBe(0);
    expect(JSON.parse(result.stdout)).toMatchObject({
      node: process.version,
      runtime: expect.stringMatching(/^(native|node|wasm) /) as string,
      sharp: expect.stringMatching(/^\d+\./) as string,
      cache: expect.any(String) as string,
    });
  });

  const mini = join(projectRoot, 'test/fixtures/reference/checkpoints/mini.pth');

  it('describe a checkpoint that fits no model', async () => {
    const result = await mdetr('info', mini);
    expect(result.status, result.stderr).toBe(0);
    expect(result.stdout).toMatch(/ema/i);
  });

  it.skipIf(!hasTinyCheckpoint)(
    'convert a checkpoint to a model folder and back without loss (needs ../shared/reference)',
    async () => {
      const model = join(folder, 'converted');
      const there = await mdetr('convert', tinyCheckpoint, model, '--tokenizer', roberta);
      expect(there.status, there.stderr).toBe(0);
      expect(readdirSync(model).sort()).toEqual(
        expect.arrayContaining(['README.md', 'config.json', 'model.safetensors']),
      );
      const back = join(folder, 'back.pth');
      const again = await mdetr('convert', model, back);
      expect(again.status, again.stderr).toBe(0);
      const photo = join(folder, 'photo.png');
      copyFileSync(scene, photo);
      const boxes = async (...extra: string[]): Promise<unknown> =>
        (
          JSON.parse(
            (await mdetr('detect', photo, '--caption', 'a dog', '--json', '--threshold', '0.5', ...extra)).stdout,
          ) as {
            detections: unknown;
          }
        ).detections;
      const expected = await boxes('--model', tinyCheckpoint, '--tokenizer', roberta);
      expect(await boxes('--model', back, '--tokenizer', roberta)).toEqual(expected);
      expect(await boxes('--model', model)).toEqual(expected);
      expectRefusal(await mdetr('convert', tinyCheckpoint, model, '--tokenizer', roberta), 2, /--overwrite/);
    },
  );

  it('list and clear the cache', async () => {
    const list = await mdetr('cache', 'list');
    expect(list.status, list.stderr).toBe(0);
    expect(list.stdout).toMatch(/image/);
    expect((await mdetr('cache', 'clear')).status).toBe(0);
    expect((await mdetr('cache', 'list')).stdout).not.toMatch(/image\s/);
  });
});

describe('help', () => {
  it.each(['detect', 'refer', 'ask', 'evaluate', 'convert', 'info', 'cache', 'scenes'])(
    'is printed for %s',
    async (command) => {
      const result = await mdetr(command, '--help');
      expect(result.status).toBe(0);
      expect(result.stdout).toMatch(/Usage: mdetr/);
    },
  );
});

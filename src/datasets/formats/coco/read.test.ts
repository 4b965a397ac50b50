import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { temporaryFolder } from '../../../../test/support/run-preparation.ts';
import { Remarks } from '../../preparation/remarks.ts';
import { BadRows } from '../../source/bad-rows.ts';
import { cocoImporter } from './read.ts';
import type { ImportedImage } from '../../import/importer.ts';
import { recognizeSource } from '../../import/importers.ts';
import { ImportSource } from '../../import/import-source.ts';

const write = (folder: string, name: string, content: unknown): void => {
  mkdirSync(dirname(join(folder, name)), { recursive: true });
  writeFileSync(join(folder, name), typeof content === 'string' ? content : JSON.stringify(content));
};

const writeImage = async (path: string, width: number, height: number): Promise<void> => {
  mkdirSync(dirname(path), { recursive: true });
  await sharp({ create: { width, height, channels: 3, background: '#338' } }).toFile(path);
};

const coco = (images: object[], annotations: object[], categories: object[] = [{ id: 0, name: 'dog' }]) => ({
  images,
  annotations,
  categories,
});

const read = async (path: string, images?: string) => {
  const source = await ImportSource.open(path, images);
  const { importer, files } = await recognizeSource(source);
  const [leftOut, notes] = [new Remarks(), new Remarks()];
  const badRows = new BadRows('stop', leftOut);
  const read: ImportedImage[] = [];
  for await (const image of importer.read(source, files, { leftOut, notes, badRows })) read.push(image);
  return { name: importer.name, files, images: read, leftOut: leftOut.list, notes: notes.list };
};

describe('cocoImporter', () => {
  it('reads string ids, category ids from 0, flat polygons, and boxes beyond the image', async () => {
    const folder = temporaryFolder();
    const image = { id: 'a1b2-c3', file_name: 'photos/a b.jpg', width: 40, height: 30 };
    write(folder, 'my export.json', {
      ...coco(
        [image],
        [
          { image_id: 'a1b2-c3', category_id: 0, bbox: [-2, 3, 10, 10] },
          { image_id: 'a1b2-c3', category_id: '7', segmentation: [1, 2, 11, 2, 11, 9], iscrowd: 1 },
          { image_id: 'a1b2-c3', category_id: 0 },
          { image_id: 'other', category_id: 0, bbox: [0, 0, 1, 1] },
        ],
        [
          { id: 0, name: 'dog' },
          { id: 7, name: 'tv/monitor' },
          { id: 7, name: 'tv/monitor' },
        ],
      ),
      info: null,
    });
    const { images, leftOut } = await read(join(folder, 'my export.json'));
    expect(images).toMatchObject([
      {
        fileName: 'photos/a b.jpg',
        path: undefined,
        width: 40,
        height: 30,
        objects: [
          { label: 'dog', bbox: [-2, 3, 10, 10], isCrowd: false, location: expect.stringContaining('annotations[0]') },
          { label: 'tv/monitor', bbox: [1, 2, 10, 7], segmentation: [[1, 2, 11, 2, 11, 9]], isCrowd: true },
        ],
      },
    ]);
    expect(leftOut.map(({ what, count }) => [what, count])).toEqual([
      ['annotations of missing images', 1],
      ['annotations without a box', 1],
    ]);
  });

  it('links annotations by number or string, or by file name if images have no id', async () => {
    const folder = temporaryFolder();
    const size = { width: 9, height: 9 };
    write(
      folder,
      'a.json',
      coco([{ id: 0, file_name: 'a.jpg', ...size }], [{ image_id: '0', category_id: 0, bbox: [1, 1, 2, 2] }]),
    );
    write(
      folder,
      'b.json',
      coco([{ file_name: 'b.jpg', ...size }], [{ image_id: 'b.jpg', category_id: 0, bbox: [1, 1, 2, 2] }]),
    );
    const { images } = await read(folder);
    expect(images.map(({ fileName, objects }) => [fileName, objects.length])).toEqual([
      ['a.jpg', 1],
      ['b.jpg', 1],
    ]);
  });

  it('reads several files, and the splits of their folders', async () => {
    const folder = temporaryFolder();
    await writeImage(join(folder, 'train/x.png'), 12, 7);
    await writeImage(join(folder, 'valid/x.png'), 5, 6);
    const entry = coco([{ id: 1, file_name: 'x.png' }], [{ image_id: 1, category_id: 0, bbox: [0, 0, 4, 4] }]);
    write(folder, 'train/_annotations.coco.json', entry);
    write(folder, 'valid/_annotations.coco.json', entry);
    write(folder, 'notes.json', { images: [] });
    write(folder, 'broken.json', '{"images":');
    const { name, files, images, notes } = await read(folder);
    expect({ name, files, notes }).toEqual({
      name: 'coco',
      files: ['train/_annotations.coco.json', 'valid/_annotations.coco.json'],
      notes: [],
    });
    expect(images).toMatchObject([
      { path: join(folder, 'train/x.png'), split: 'train' },
      { path: join(folder, 'valid/x.png'), split: 'val' },
    ]);
  });

  it('finds images of absolute paths of another machine', async () => {
    const folder = temporaryFolder();
    await writeImage(join(folder, 'images/day 1/0.png'), 8, 8);
    await writeImage(join(folder, 'images/day 2/0.png'), 9, 9);
    const image = { id: 1, file_name: 'C:\\data\\day 2\\0.png' };
    const box = { image_id: 1, category_id: 0, bbox: [0, 0, 4, 4] };
    write(folder, 'labels/one.json', coco([image], [box]));
    write(folder, 'labels/two.json', coco([image], [box, { ...box, bbox: [1, 1, 2, 2] }]));
    const { images } = await read(join(folder, 'labels'), join(folder, 'images'));
    const path = join(folder, 'images/day 2/0.png');
    expect(images).toMatchObject([
      { path, objects: [{ bbox: [0, 0, 4, 4] }] },
      { path, objects: [{ bbox: [0, 0, 4, 4] }, { bbox: [1, 1, 2, 2] }] },
    ]);
  });

  it.each<[what: string, content: object, message: RegExp]>([
    [
      'an unknown category',
      coco([{ id: 1, file_name: 'a.jpg', width: 9, height: 9 }], [{ image_id: 1, category_id: 5, bbox: [0, 0, 1, 1] }]),
      /a\.json: annotations\[0\]: category_id 5 is not in "categories"/,
    ],
    [
      'two names of one category',
      coco(
        [],
        [],
        [
          { id: 1, name: 'a' },
          { id: 1, name: 'b' },
        ],
      ),
      /categories\[1\]: category id 1 is "a" and "b"/,
    ],
    [
      'an image id that occurs twice',
      coco(
        [
          { id: 1, file_name: 'a.jpg' },
          { id: 1, file_name: 'b.jpg' },
        ],
        [],
      ),
      /images\[1\]: the image id 1 occurs twice/,
    ],
    ['a wrong field', coco([{ id: 1, file_name: 7 }], []), /images\[0\], field file_name: expected string/],
  ])('names the location of %s', async (_, content, message) => {
    const folder = temporaryFolder();
    write(folder, 'a.json', content);
    await expect(read(folder)).rejects.toThrow(message);
  });

  it('takes flags as text, and keeps the boxes of broken segmentations', async () => {
    const folder = temporaryFolder();
    const box = { image_id: 1, category_id: 0, bbox: [0, 0, 5, 5] };
    const broken = [
      { ...box, iscrowd: '1', segmentation: [[0, 0, 5, 0, 5, 5], [1, 1]] },
      { ...box, bbox: [1, 1, 5, 5], iscrowd: null, segmentation: [[0, 0, 5, 0, 5]] },
    ]; // prettier-ignore
    write(folder, 'a.json', coco([{ id: 1, file_name: 'a.jpg', width: 9, height: 9 }], broken));
    const { images, leftOut } = await read(folder);
    expect(images[0]!.objects).toMatchObject([
      { isCrowd: true, segmentation: [[0, 0, 5, 0, 5, 5]] },
      { isCrowd: false, segmentation: undefined },
    ]);
    expect(leftOut).toMatchObject([{ what: 'broken segmentations, whose boxes are kept', count: 1 }]);
  });

  it('does not recognize other files', async () => {
    const folder = temporaryFolder();
    write(folder, 'list.json', [{ image: 'a.jpg' }]);
    write(folder, 'captions.json', { images: [], captions: [] });
    expect(await cocoImporter.recognize(await ImportSource.open(folder))).toEqual([]);
    await expect(read(folder)).rejects.toThrow(
      /none of the 2 files .captions\.json, list\.json. has a known format .*coco/,
    );
    await expect(read(join(folder, 'list.json'))).rejects.toThrow(/list\.json: does not have a known format/);
    writeFileSync(join(folder, 'export.x'), '{}');
    await expect(read(join(folder, 'export.x'))).rejects.toThrow(/export\.x: does not have .*rename it: \.json/);
    await expect(read(join(folder, 'no'))).rejects.toThrow(/no: cannot be read/);
  });
});

import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildWordLevelTokenizerJson, createTokenizer } from '../../text/index.ts';
import type { CocoRow } from '../../data/format/coco-format.ts';
import { AnnotatedImages } from '../../data/images/node/annotated-images.ts';
import { ImageRoots } from '../../data/images/node/image-roots.ts';
import { checkDataset } from './check-dataset.ts';
import { galleryPage } from './gallery.ts';

let folder: string;
let roots: ImageRoots;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'mdetr-inspect-'));
  roots = ImageRoots.parse([join(folder, 'images')]);
  mkdirSync(join(folder, 'images'));
  const image = (shade: number) =>
    sharp({ create: { width: 40, height: 30, channels: 3, background: { r: shade, g: 90, b: 10 } } })
      .jpeg()
      .toBuffer();
  const file = (name: string): string => join(folder, 'images', name);
  writeFileSync(file('a.jpg'), await image(10));
  writeFileSync(file('copy of a.jpg'), await image(10));
  writeFileSync(file('b.jpg'), await image(200));
  // Noise compresses evenly, so truncating the file cuts off part of the image.
  const noise = { type: 'gaussian', mean: 128, sigma: 60 } as const;
  const noisy = await sharp({ create: { width: 40, height: 30, channels: 3, background: 'black', noise } })
    .jpeg()
    .toBuffer();
  writeFileSync(file('cut.jpg'), noisy.subarray(0, Math.floor(noisy.length * 0.7)));
});
afterAll(() => rmSync(folder, { recursive: true }));

const write = (name: string, images: object[], annotations: object[] = []): string => {
  const path = join(folder, name);
  const filled = images.map((image, id) => ({ id, width: 40, height: 30, caption: 'a dog and a cat', ...image }));
  writeFileSync(path, JSON.stringify({ images: filled, annotations }));
  return path;
};

describe('checkDataset', () => {
  it('finds problems and their locations', async () => {
    const train = write(
      'train.json',
      [
        { file_name: 'a.jpg', dataset_name: 'x' },
        { file_name: 'b.jpg', width: 41, caption: 'a dog'.repeat(90).replaceAll('dog', ' dog ') },
        { file_name: 'cut.jpg' },
        { file_name: 'gone.jpg' },
        { file_name: '../a.jpg' },
        { file_name: 'a.jpg', caption: 'long '.repeat(600) },
      ],
      [
        { image_id: 0, bbox: [0, 0, 5, 0], tokens_positive: [[0, 5]] },
        { image_id: 0, bbox: [50, 0, 5, 5], tokens_positive: [[0, 5]] },
        { image_id: 0, bbox: [0, 0, 50, 5] },
        { image_id: 2, bbox: [0, 0, 5, 5], tokens_positive: [[0, 99]] },
        { image_id: 77, bbox: [0, 0, 5, 5] },
      ],
    );
    const val = write('val.json', [{ file_name: 'b.jpg' }, { file_name: 'copy of a.jpg' }]);
    const words = ['a', 'dog', 'long'];
    const tokenizer = createTokenizer(buildWordLevelTokenizerJson(words), { maxTokens: 512 });
    const { files, shared } = await checkDataset([train, val], { roots, tokenizer });
    expect(files[0]).toMatchObject({
      rows: 6,
      usableRows: 4,
      images: 3,
      annotations: 4,
      longestCaption: 3000,
      datasets: { x: 1, '(none)': 3 },
    });
    expect(files[0]!.findings.map(({ severity, what, count }) => [severity, what, count])).toEqual([
      ['error', 'annotations[].tokens_positive[] is not usable', 1],
      ['error', 'file_name is not usable', 1],
      ['error', 'caption of more than 512 tokens', 1],
      ['error', 'image missing', 1],
      ['error', 'image whose size differs from its row', 1],
      ['warning', 'box without area', 1],
      ['warning', 'box outside the image', 1],
      ['warning', 'annotation whose image is not in the file', 1],
      ['note', 'box that extends beyond the image by more than a pixel', 1],
      ['note', 'box without a phrase', 1],
    ]);
    expect(files[1]!.findings).toEqual([]);
    expect(shared).toEqual([
      { severity: 'error', what: `image in ${train} and ${val}`, count: 1, examples: ['b.jpg'] },
      {
        severity: 'error',
        what: `image with the same bytes in ${train} and ${val}`,
        count: 1,
        examples: ['copy of a.jpg'],
      },
    ]);
  });

  it('finds broken and missing masks, ids that occur twice, and keys that occur twice', async () => {
    const path = join(folder, 'masks.json');
    const image = (id: number): object => ({ id, file_name: 'a.jpg', width: 40, height: 30, caption: 'a dog' });
    const box = { bbox: [1, 1, 9, 9], tokens_positive: [[2, 5]] };
    const segmentations = [
      [[1, 1, 9, 1, 9, 9]],
      { size: [40, 30], counts: [1200] },
      'polygon',
      null,
      [1, 1, 9, 1, 9, 9],
    ];
    const annotations = segmentations.map((segmentation, i) => ({ ...box, id: i % 4, image_id: i, segmentation }));
    const content = JSON.stringify({ images: [...segmentations.keys(), 9].map(image), annotations });
    writeFileSync(path, content.replace('"id":9,', '"id":9,"caption":"x",'));
    const findingsOf = async (masks: 'checked' | 'required') => {
      const { findings, usableRows } = (await checkDataset([path], { masks })).files[0]!;
      return [usableRows, ...findings.map(({ severity, what, count }) => [severity, what, count])];
    };
    const twice = ['warning', 'annotation id that occurs several times', 1];
    expect(await findingsOf('checked')).toEqual([
      5,
      ['error', 'the row is not usable', 1],
      ['warning', 'broken segmentation: training with mask losses refuses the row', 2],
      twice,
      ['note', 'box without a mask, although other boxes have one', 1],
    ]);
    expect(await findingsOf('required')).toEqual([
      2,
      ['error', 'annotations[].segmentation is not usable', 2],
      ['error', 'annotations[].segmentation.size is not usable', 1],
      ['error', 'the row is not usable', 1],
      twice,
    ]);
  });

  it('takes the stored and the turned size of an image, and notes a square one', async () => {
    const turned = sharp({ create: { width: 8, height: 6, channels: 3, background: 'red' } }).withMetadata({
      orientation: 6,
    });
    await turned.jpeg().toFile(join(folder, 'images', 'turned.jpg'));
    await turned
      .clone()
      .resize(6, 6)
      .jpeg()
      .toFile(join(folder, 'images', 'square.jpg'));
    const file = write('turned.json', [
      { file_name: 'turned.jpg', width: 8, height: 6 },
      { file_name: 'turned.jpg', width: 6, height: 8 },
      { file_name: 'square.jpg', width: 6, height: 6 },
      { file_name: 'other.jpg', width: 8, height: 6 },
      { file_name: 'other.jpg', width: 7, height: 7 },
    ]);
    copyFileSync(join(folder, 'images', 'turned.jpg'), join(folder, 'images', 'other.jpg'));
    const { files } = await checkDataset([file], { roots, quick: true });
    expect(files[0]!.findings.map(({ severity, examples }) => [severity, examples[0]])).toEqual([
      [
        'error',
        expect.stringMatching(/other\.jpg: is 8 x 6 as stored and 6 x 8 as turned by EXIF, but its row says 7 x 7/),
      ],
      ['note', expect.stringMatching(/square\.jpg: has EXIF orientation 6/)],
    ]);
    const overridden = await checkDataset([file], { roots, quick: true, orientation: 'stored' });
    expect(overridden.files[0]!.findings).toEqual([]);
  });

  it('finds a broken image only by decoding it', async () => {
    const file = write('cut.json', [{ file_name: 'cut.jpg' }]);
    const findingsOf = async (quick: boolean) =>
      (await checkDataset([file], { roots, quick })).files[0]!.findings.map(({ what }) => what);
    expect(await findingsOf(true)).toEqual([]);
    expect(await findingsOf(false)).toEqual(['image broken']);
  });
});

describe('galleryPage', () => {
  const row = (change: object, ...annotations: object[]): CocoRow =>
    ({
      image: { id: 1, file_name: 'a.jpg', width: 40, height: 30, caption: '🐕 <b>dog</b> & "cat"', ...change },
      annotations,
    }) as CocoRow;
  const pageOf = (content: CocoRow) =>
    galleryPage([{ file: 'x<y.json', row: 3, content }], { title: 'T & <T>', images: new AnnotatedImages(roots) });

  it('has image, boxes and colored words, and loads nothing', async () => {
    const page = await pageOf(
      row(
        {},
        { bbox: [1, 2, 3, 4], tokens_positive: [[5, 8]] },
        { bbox: [5, 6, 7, 8], tokens_positive: [[5, 8]] },
        { bbox: [0, 0, 9, 9], tokens_positive: [[0, 8]] },
      ),
    );
    expect(page).toContain('href="data:image/jpeg;base64,');
    expect(page).toContain('<rect x="1" y="2" width="3" height="4" stroke="hsl(10 90% 45%)"><title>dog</title></rect>');
    // The first two boxes are one phrase. The third one's phrase contains it: it colors the rest and underlines the first.
    expect(page).toContain('<mark style="background:hsl(148 90% 82%)">🐕 &#60;b&#62;</mark>');
    expect(page).toContain('<mark style="background:hsl(10 90% 82%);box-shadow:0 2px 0 hsl(148 90% 45%)">dog</mark>');
    expect(page).toContain('&#60;/b&#62; &#38; &#34;cat&#34;');
    expect(page).not.toMatch(/<b>|<script|https?:|T & <T>|x<y/);
  });

  it('shows why an image is missing', async () => {
    expect(await pageOf(row({ file_name: 'gone.jpg' }))).toContain('<div class="problem">');
    expect(await pageOf(row({ file_name: '../../x' }))).toContain('is outside of the image folder');
  });
});

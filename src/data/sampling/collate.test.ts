import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { hasCase, loadCase, loadReferenceJson, sharedReference } from '../../../test/support/reference-case.ts';
import { collateImages } from './collate.ts';
import { decodeImage } from '../images/node/decode-image.ts';
import { Random } from '../../random/random.ts';
import { PHOTO_SIZES, validationTransform } from '../transforms/random-transforms.ts';
import type { RawImage } from '../images/raw-image.ts';
import { normalizedBoxes, type Target } from '../format/target.ts';

const filled = (width: number, height: number, rgb: readonly number[]): RawImage => ({
  width,
  height,
  channels: 3,
  data: Uint8Array.from({ length: width * height * 3 }, (_, i) => rgb[i % 3]!),
});

describe('collateImages', () => {
  it('normalizes, then pads to the largest height and width with zeros that the mask marks', () => {
    const { tensors, mask, batch, height, width, sizes } = collateImages([
      filled(2, 3, [0, 255, 128]),
      filled(4, 1, [255, 0, 0]),
    ]);
    expect([batch, height, width]).toEqual([2, 3, 4]);
    expect(sizes).toEqual([
      [3, 2],
      [1, 4],
    ]);
    expect([...mask]).toEqual([0, 0, 1, 1, 0, 0, 1, 1, 0, 0, 1, 1, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1]);
    const plane = (b: number, channel: number): number[] => [
      ...tensors.subarray((b * 3 + channel) * 12, (b * 3 + channel + 1) * 12),
    ];
    const [r, g, b] = [-0.485 / 0.229, (1 - 0.456) / 0.224, (128 / 255 - 0.406) / 0.225];
    [r, g, b].forEach((value, channel) => {
      const rows = plane(0, channel);
      rows.forEach((found, i) => expect(found).toBeCloseTo(i % 4 < 2 ? value : 0, 5));
    });
    expect(plane(1, 0).map((value) => value !== 0)).toEqual(Array.from({ length: 12 }, (_, i) => i < 4));
  });

  it.skipIf(!existsSync(join(sharedReference, 'images')))(
    'gives the official tensors and targets of five photos, bit-equal (needs ../shared/reference)',
    async () => {
      const rows = loadReferenceJson('preprocess/val_images.json') as {
        file: string;
        tensorCHW: { pos: number[]; values: number[] };
        targetIn: { boxes_xyxy: number[][]; area: number[] };
        targetOut: { boxes: number[][]; area: number[]; size: number[]; orig_size: number[] };
      }[];
      for (const { file, tensorCHW, targetIn, targetOut } of rows) {
        const image = await decodeImage(join(sharedReference, file), { orientation: 'stored' });
        const before: Target = {
          imageId: 0,
          caption: '',
          boxesXyxy: Float32Array.from(targetIn.boxes_xyxy.flat()),
          labels: Int32Array.of(1, 1),
          area: Float32Array.from(targetIn.area),
          isCrowd: new Uint8Array(2),
          size: [image.height, image.width],
          originalSize: [image.height, image.width],
        };
        const sample = validationTransform(PHOTO_SIZES)({ image, target: before }, Random.of(0));
        const { target } = sample;
        const { tensors } = collateImages([sample.image]);
        expect(tensorCHW.pos.map((at) => tensors[at])).toEqual(tensorCHW.values);
        expect([...normalizedBoxes(target)]).toEqual(targetOut.boxes.flat());
        expect([...target.area]).toEqual(targetOut.area);
        expect(target.size).toEqual(targetOut.size);
        expect(target.originalSize).toEqual(targetOut.orig_size);
      }
    },
  );

  it.skipIf(!hasCase('tiny'))('marks padding as the official code does (needs ../shared/reference)', () => {
    const tiny = loadCase('tiny');
    const { shape, data: expected } = tiny.typed('samples.tensors', 'f32');
    const { targets } = tiny.json as { targets: { size: [number, number] }[] };
    const batch = collateImages(targets.map(({ size: [rows, columns] }) => filled(columns, rows, [0, 255, 128])));
    expect([batch.height, batch.width]).toEqual(shape.slice(2));
    expect(batch.tensors.every((value, i) => (value === 0) === (expected[i] === 0))).toBe(true);
    expect(Buffer.compare(batch.mask, tiny.u8('samples.mask'))).toBe(0);
  });

  it('needs at least one image', () => {
    expect(() => collateImages([])).toThrow('no images');
  });
});

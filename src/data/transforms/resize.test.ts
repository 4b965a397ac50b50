import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  fixtureReference,
  loadReferenceJson,
  ReferenceCase,
  sharedReference,
} from '../../../test/support/reference-case.ts';
import { resizeBilinear, resizedSize } from './resize.ts';
import { nearestIndices } from '../../geometry/mask-geometry.ts';
import type { RawImage } from '../images/raw-image.ts';

const synthetic = new ReferenceCase(join(fixtureReference, 'preprocess'), 'synthetic.manifest.json');
const imageOf = (name: string): RawImage => {
  const { shape, data } = synthetic.typed(name, 'u8');
  return { height: shape[0]!, width: shape[1]!, channels: 3, data };
};

describe('resizeBilinear', () => {
  const pairs = synthetic.names.filter((name) => name.startsWith('in.')).map((name) => name.slice(3));
  it.each(pairs)('is bit-equal to Pillow on %s', (size) => {
    const expected = imageOf(`out.${size}`);
    expect(resizeBilinear(imageOf(`in.${size}`), expected.width, expected.height)).toEqual(expected);
  });

  // Decoded bytes are too large for the fixtures.
  const photos = [
    { file: 'images/giraffe.jpg', bytes: 'giraffe_500x500x3.u8' },
    { file: 'images/scream.jpg', bytes: 'scream_448x352x3.u8' },
  ];
  it.skipIf(!existsSync(join(sharedReference, 'preprocess/val_images.json')))(
    'is bit-equal to Pillow on two photos (needs ../shared/reference)',
    () => {
      const rows = loadReferenceJson('preprocess/val_images.json') as {
        file: string;
        width: number;
        height: number;
        outWidth: number;
        outHeight: number;
        resizedHWC: { pos: number[]; values: number[] };
        resizedChannelMeans: number[];
      }[];
      for (const { file, bytes } of photos) {
        const row = rows.find((candidate) => candidate.file === file)!;
        const data = new Uint8Array(readFileSync(join(sharedReference, 'preprocess', bytes)));
        const resized = resizeBilinear(
          { width: row.width, height: row.height, channels: 3, data },
          row.outWidth,
          row.outHeight,
        );
        expect(row.resizedHWC.pos.map((at) => resized.data[at])).toEqual(row.resizedHWC.values);
        for (const channel of [0, 1, 2]) {
          let sum = 0;
          for (let i = channel; i < resized.data.length; i += 3) sum += resized.data[i]!;
          expect(sum / (resized.data.length / 3)).toBeCloseTo(row.resizedChannelMeans[channel]!, 10);
        }
      }
    },
  );

  it('keeps a constant image constant and returns the same object at its own size', () => {
    fc.assert(
      fc.property(
        fc.nat(255),
        fc.integer({ min: 1, max: 40 }),
        fc.integer({ min: 1, max: 40 }),
        fc.integer({ min: 1, max: 60 }),
        fc.integer({ min: 1, max: 60 }),
        (value, width, height, outWidth, outHeight) => {
          const data = new Uint8Array(width * height * 3).fill(value);
          const image: RawImage = { width, height, channels: 3, data };
          const resized = resizeBilinear(image, outWidth, outHeight);
          expect(resized.data.length).toBe(outWidth * outHeight * 3);
          expect(resized.data.every((byte) => byte === value)).toBe(true);
          expect(resizeBilinear(image, width, height)).toBe(image);
        },
      ),
    );
  });
});

describe('resizedSize', () => {
  it('follows the official rule', () => {
    const { rows } = loadReferenceJson('preprocess/resize_sizes.json') as {
      rows: [w: number, h: number, size: number, maxSize: number | null, outW: number, outH: number][];
    };
    const ours = rows.map(([w, h, size, maxSize]) => resizedSize([h, w], size, maxSize ?? undefined));
    expect(ours).toEqual(rows.map(([, , , , outW, outH]) => [outH, outW]));
  });

  it('refuses an image whose shorter side would become 0', () => {
    expect(() => resizedSize([1, 50_000], 800, 1333)).toThrow('50000x1 pixels is too narrow');
  });
});

describe('nearestIndices', () => {
  it('is inside the source, ascending, and the identity at equal sizes', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 3000 }), fc.integer({ min: 1, max: 3000 }), (inSize, outSize) => {
        const indices = nearestIndices(inSize, outSize);
        expect(indices[0]).toBe(0);
        expect(indices.every((at, i) => at < inSize && (i === 0 || at >= indices[i - 1]!))).toBe(true);
        expect(nearestIndices(inSize, inSize).every((at, i) => at === i)).toBe(true);
      }),
    );
  });
});

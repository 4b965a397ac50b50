import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { Random } from '../../random/random.ts';
import { fixtureReference, loadReferenceJson, ReferenceCase } from '../../../test/support/reference-case.ts';
import type { CodePointSpan } from '../../text/spans/span.ts';
import {
  CLEVR_SIZES,
  PHOTO_SIZES,
  randomHorizontalFlip,
  randomSizeCrop,
  trainTransform,
  validationTransform,
} from './random-transforms.ts';
import type { RawImage } from '../images/raw-image.ts';
import { maskFromDense, maskToDense, type RunLengthMask } from '../../geometry/run-lengths.ts';
import { normalizedBoxes, type Sample, type Target } from '../format/target.ts';
import { cropSample, flipSample, resizeSample } from './transforms.ts';

interface ReferenceTarget {
  boxes: number[][];
  labels: number[];
  area: number[];
  iscrowd: number[];
  isfinal: number[];
  positive_map: number[][];
  caption: string;
  tokens_positive: CodePointSpan[][];
  size: [number, number];
  orig_size: [number, number];
}
interface ReferenceStep {
  op:
    | 'input'
    | { name: 'hflip' | 'normalize' }
    | { name: 'crop'; region_top_left_h_w: [number, number, number, number] }
    | { name: 'resize'; size: number; max_size: number | null };
  target: ReferenceTarget;
  masks: string;
}
const steps = loadReferenceJson('preprocess/target_transforms.json') as ReferenceStep[];
const data = new ReferenceCase(join(fixtureReference, 'preprocess'), 'synthetic.manifest.json');

const masksOf = (name: string): RunLengthMask[] => {
  const { shape, data: pixels } = data.typed(name, 'u8');
  const [count, height, width] = shape as [number, number, number];
  return Array.from({ length: count }, (_, i) =>
    maskFromDense(pixels.subarray(i * height * width, (i + 1) * height * width), height, width),
  );
};

/** An image whose pixels hold their own coordinates. */
const [height, width] = steps[0]!.target.size;
const image: RawImage = {
  height,
  width,
  channels: 3,
  data: Uint8Array.from({ length: height * width * 3 }, (_, i) => {
    const pixel = Math.floor(i / 3);
    return [pixel % width, Math.floor(pixel / width), 0][i % 3]!;
  }),
};
const originOf = (image: RawImage, x: number, y: number): number[] => [
  ...image.data.subarray((y * image.width + x) * 3, (y * image.width + x) * 3 + 2),
];

const input: Sample = {
  image,
  target: {
    imageId: 1,
    caption: steps[0]!.target.caption,
    boxesXyxy: Float32Array.from(steps[0]!.target.boxes.flat()),
    labels: Int32Array.from(steps[0]!.target.labels),
    area: Float32Array.from(steps[0]!.target.area),
    isCrowd: Uint8Array.from(steps[0]!.target.iscrowd),
    isFinal: Float32Array.from(steps[0]!.target.isfinal),
    tokensPositive: steps[0]!.target.tokens_positive,
    masks: masksOf('masks.0'),
    size: [height, width],
    originalSize: [height, width],
  },
};

const apply = (op: ReferenceStep['op']): Sample => {
  if (op === 'input') return input;
  switch (op.name) {
    case 'hflip':
      return flipSample(input, 'official');
    case 'crop': {
      const [top, left, rows, columns] = op.region_top_left_h_w;
      return cropSample(input, { top, left, height: rows, width: columns });
    }
    case 'resize':
      return resizeSample(input, op.size, op.max_size ?? undefined);
    case 'normalize':
      return input;
  }
};

/** Spans of the boxes that the official crop kept; it keeps them all itself, which is its mistake. */
const spansOfKept = (official: ReferenceTarget): CodePointSpan[][] =>
  official.positive_map.map(
    (row) =>
      input.target.tokensPositive![
        steps[0]!.target.positive_map.findIndex((all) => all[0] === row[0])
      ]! as CodePointSpan[],
  );

describe('against the official transforms', () => {
  it.each(steps.map((step) => ({ name: JSON.stringify(step.op), step })))('$name', ({ step }) => {
    const { op, target: official } = step;
    const { image: transformed, target } = apply(op);
    const boxes = op !== 'input' && op.name === 'normalize' ? normalizedBoxes(target) : target.boxesXyxy;
    expect([...boxes]).toEqual(official.boxes.flat());
    expect([...target.labels]).toEqual(official.labels);
    expect([...target.area]).toEqual(official.area);
    expect([...target.isCrowd]).toEqual(official.iscrowd);
    expect([...target.isFinal!]).toEqual(official.isfinal);
    expect(target.caption).toBe(official.caption);
    expect(target.size).toEqual(official.size);
    expect(target.originalSize).toEqual(official.orig_size);
    expect(target.tokensPositive).toEqual(spansOfKept(official));
    expect(target.masks).toEqual(masksOf(step.masks));
    expect([transformed.height, transformed.width]).toEqual(target.size);
  });
});

describe('pixels, boxes and masks move together', () => {
  it('in a flip', () => {
    const { image: flipped, target } = flipSample(input);
    expect(originOf(flipped, 0, 7)).toEqual([width - 1, 7]);
    expect(originOf(flipped, width - 1, 60)).toEqual([0, 60]);
    expect([target.boxesXyxy[0], target.boxesXyxy[2]]).toEqual([width - 40, width - 10]);
    const [before, after] = [maskToDense(input.target.masks![0]!), maskToDense(target.masks![0]!)];
    expect(after.every((bit, i) => bit === before[i - (i % width) + width - 1 - (i % width)])).toBe(true);
  });

  it('in a crop', () => {
    const { image: cropped } = cropSample(input, { top: 3, left: 12, height: 40, width: 50 });
    expect(originOf(cropped, 0, 0)).toEqual([12, 3]);
    expect(originOf(cropped, 49, 39)).toEqual([61, 42]);
    expect(() => cropSample(input, { top: 30, left: 0, height: 40, width: 10 })).toThrow('leaves an image');
  });
});

const randomSource = (seed: number): Random => Random.of(seed, 'transforms');

const boxCount = ({ boxesXyxy }: Target): number => boxesXyxy.length / 4;

describe('random transforms', () => {
  it('crops keep all boxes if asked to and possible', () => {
    const cautious = randomSizeCrop(30, 73, { keepAllBoxes: true });
    const careless = randomSizeCrop(30, 40, { keepAllBoxes: false });
    const random = randomSource(1);
    const kept = Array.from({ length: 40 }, () => boxCount(cautious(input, random).target));
    expect(kept.every((count) => count === 3)).toBe(true);
    const left = Array.from({ length: 40 }, () => careless(input, random));
    expect(left.some(({ target }) => boxCount(target) < 3)).toBe(true);
    for (const { target, image: cropped } of left) {
      expect(cropped.height).toBeGreaterThanOrEqual(30);
      expect(cropped.width).toBeLessThanOrEqual(40);
      expect(target.tokensPositive!.length).toBe(boxCount(target));
    }
  });

  it('uses the last crop after 100 tries', () => {
    const impossible = randomSizeCrop(10, 20, { keepAllBoxes: true });
    expect(boxCount(impossible(input, randomSource(2)).target)).toBeLessThan(3);
  });

  it('keeps the sides of an image smaller than the smallest crop', () => {
    const { image: cropped } = randomSizeCrop(384, 1333, { keepAllBoxes: true })(input, randomSource(3));
    expect([cropped.height, cropped.width]).toEqual([height, width]);
  });

  it('training gives one of the official sizes, the same for the same random numbers', () => {
    const transform = trainTransform(CLEVR_SIZES);
    for (let seed = 0; seed < 20; seed++) {
      const sample = transform(input, randomSource(seed));
      const shorter = Math.min(...sample.target.size);
      const longer = Math.max(...sample.target.size);
      expect(
        CLEVR_SIZES.scales.includes(shorter) || longer === CLEVR_SIZES.maxSize || longer === CLEVR_SIZES.maxSize - 1,
      ).toBe(true);
      expect(Buffer.compare(transform(input, randomSource(seed)).image.data, sample.image.data)).toBe(0);
      expect(sample.target.caption).toBe(input.target.caption);
    }
  });

  it('flips only when not cautious', () => {
    expect(randomHorizontalFlip(1)(input, randomSource(0)).target.caption).toBe(
      'the right cup to the left of the rightmost dog',
    );
    const sizes = { ...CLEVR_SIZES, scales: [61], scalesBeforeCrop: [61] };
    const captions = Array.from(
      { length: 20 },
      (_, seed) => trainTransform(sizes, { cautious: false })(input, randomSource(seed)).target.caption,
    );
    expect(new Set(captions).size).toBe(2);
  });

  it('validation resizes photos to one size and keeps CLEVR', () => {
    expect(validationTransform(PHOTO_SIZES)(input, randomSource(0)).target.size).toEqual([800, 957]);
    expect(validationTransform(CLEVR_SIZES)(input, randomSource(0))).toBe(input);
  });
});

import { describe, expect, it } from 'vitest';
import { loadReferenceJson } from '../../../test/support/reference-case.ts';
import { maskFromAnnotation, targetFromRow } from './row-target.ts';
import type { CocoAnnotation, CocoImage, Segmentation } from './coco-format.ts';
import type { CodePointSpan } from '../../text/spans/span.ts';
import { maskArea, maskFromDense, maskToDense, packMask } from '../../geometry/run-lengths.ts';

const reference = loadReferenceJson('preprocess/annotation_conversion.json') as {
  imageWidth: number;
  imageHeight: number;
  caption: string;
  annotations: CocoAnnotation[];
  out: {
    boxes: number[][];
    labels: number[];
    caption: string;
    tokens_positive: CodePointSpan[][];
    area: number[];
    iscrowd: number[];
    size: [number, number];
    orig_size: [number, number];
  };
  maskPixelCounts: number[];
  maskRows: string[][];
};
const image: CocoImage = {
  id: 42,
  file_name: 'a.jpg',
  caption: reference.caption,
  width: reference.imageWidth,
  height: reference.imageHeight,
};
const size = [reference.imageHeight, reference.imageWidth] as const;

describe('targetFromRow', () => {
  it('converts as the official code: drops crowds and boxes without area, clamps boxes, fills polygons', () => {
    const { out } = reference;
    const target = targetFromRow({ image, annotations: reference.annotations }, size, { masks: true });
    expect([...target.boxesXyxy]).toEqual(out.boxes.flat());
    expect([...target.labels]).toEqual(out.labels);
    expect(target.caption).toBe(out.caption);
    expect(target.imageId).toBe(42);
    expect(target.tokensPositive).toEqual(out.tokens_positive);
    expect([...target.area]).toEqual(out.area);
    expect([...target.isCrowd]).toEqual(out.iscrowd);
    expect(target.size).toEqual(out.size);
    expect(target.originalSize).toEqual(out.orig_size);
    expect(target.masks!.map(maskArea)).toEqual(reference.maskPixelCounts);
    expect(target.masks!.map(maskToDense)).toEqual(
      reference.maskRows.map((rows) => Uint8Array.from(rows.join(''), Number)),
    );
    expect(targetFromRow({ image, annotations: reference.annotations }, size).masks).toBeUndefined();
  });

  it('prefers tokens to tokens_positive and drops isfinal with its box', () => {
    const target = targetFromRow(
      {
        image,
        annotations: [
          { image_id: 42, bbox: [0, 0, 5, 5], tokens: [[2, 7]], tokens_positive: [[0, 1]], isfinal: 0 },
          { image_id: 42, bbox: [0, 0, 0, 5], isfinal: 0 },
          { image_id: 42, bbox: [1, 1, 5, 5], isfinal: true },
        ],
      },
      size,
    );
    expect(target.tokensPositive).toEqual([[[2, 7]], []]);
    expect([...target.isFinal!]).toEqual([0, 1]);
    expect([...target.area]).toEqual([25, 25]);
    expect([...target.labels]).toEqual([1, 1]);
  });

  it('accepts an image without annotations', () => {
    const target = targetFromRow({ image, annotations: [] }, size, { masks: true });
    expect(target.boxesXyxy.length).toBe(0);
    expect(target.masks).toEqual([]);
    expect(target.isFinal).toBeUndefined();
  });
});

describe('maskFromAnnotation', () => {
  const pixels = Uint8Array.of(0, 1, 1, 0, 0, 1);
  const mask = maskFromDense(pixels, 2, 3);

  it('reads both run-length formats and unites polygons', () => {
    const plain: Segmentation = { size: [2, 3], counts: [...mask.counts] };
    expect(maskFromAnnotation({ segmentation: packMask(mask) }, [2, 3], 'row')).toEqual(mask);
    expect(maskFromAnnotation({ segmentation: plain }, [2, 3], 'row')).toEqual(mask);
    const squares = [
      [0, 0, 2, 0, 2, 2, 0, 2],
      [3, 3, 5, 3, 5, 5, 3, 5],
    ];
    expect(maskArea(maskFromAnnotation({ segmentation: squares }, [6, 6], 'row'))).toBe(8);
  });

  it.each([
    ['a missing one', undefined, 'is missing'],
    ['no polygon', [], 'has no polygon'],
    ['a short polygon', [[1, 2, 3, 4]], 'has no polygon of three points or more'],
    ['null', null as unknown as undefined, 'is missing'],
    ['an odd number of coordinates', [[1, 2, 3, 4, 5, 6, 7]], 'segmentation[0] has 7 numbers'],
    ['another size', { size: [3, 3], counts: [9] }, 'is 3x3, the image 2x3'],
    ['broken runs', { size: [2, 3], counts: '!' }, 'run-length string'],
  ] as [string, Segmentation | undefined, string][])(
    '%s is an error that names the annotation',
    (_, value, message) => {
      const read = (): unknown => maskFromAnnotation({ id: 7, segmentation: value }, [2, 3], 'image 42');
      expect(read).toThrow(message);
      expect(read).toThrow('image 42, annotation 7');
    },
  );
});

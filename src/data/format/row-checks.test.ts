import { describe, expect, it } from 'vitest';
import { fileNameProblem, isUsable, problemsOfRow, type UncheckedRow } from './row-checks.ts';

const image = {
  id: 7,
  file_name: 'street/7.jpg',
  width: 640,
  height: 480,
  caption: 'a 🐕 and a cat',
  tokens_negative: [[0, 3]],
};
const annotation = { id: 1, image_id: 7, bbox: [1, 2, 30, 40], area: 1200, iscrowd: 0, tokens_positive: [[9, 12]] };
const row = (imageChange: object = {}, ...annotations: object[]): UncheckedRow => ({
  image: { ...image, ...imageChange },
  annotations,
});
const fieldsOf = (unchecked: UncheckedRow): string[] => problemsOfRow(unchecked).map((problem) => problem.field);

describe('problemsOfRow', () => {
  it('finds no problem in a good row', () => {
    const good = row({}, annotation);
    expect(problemsOfRow(good)).toEqual([]);
    expect(isUsable(good, [])).toBe(true);
  });

  it('measures spans in code points, so an emoji counts once', () => {
    expect(image.caption.length).toBe(14);
    expect(problemsOfRow(row({}, { ...annotation, tokens_positive: [[9, 13]] }))).toEqual([]);
    expect(problemsOfRow(row({}, { ...annotation, tokens_positive: [[9, 14]] }))).toEqual([
      {
        field: 'annotations[0].tokens_positive[0]',
        message: '[9, 14] ends outside the caption of 13 characters',
        kind: 'bad',
      },
    ]);
  });

  it.each([
    [{ id: '7' }, 'id'],
    [{ id: 1.5 }, 'id'],
    [{ file_name: undefined }, 'file_name'],
    [{ file_name: '../../etc/passwd' }, 'file_name'],
    [{ width: 0 }, 'width'],
    [{ height: Infinity }, 'height'],
    [{ caption: '' }, 'caption'],
    [{ caption: ' \n' }, 'caption'],
    [{ caption: null }, 'caption'],
    [{ tokens_negative: 'all' }, 'tokens_negative'],
    [{ tokens_negative: [[3, 1]] }, 'tokens_negative[0]'],
    [{ tokens_positive_eval: [[[0, 1]], [[0, 99]]] }, 'tokens_positive_eval[1][0]'],
  ])('names the field of the image in %j', (change, field) => {
    expect(fieldsOf(row({ tokens_negative: [], ...change }))).toEqual([field]);
  });

  it.each([
    [{ bbox: [1, 2, 3] }, ['bbox']],
    [{ bbox: [1, NaN, 3, 4] }, ['bbox[1]']],
    [{ bbox: [Infinity, 1, 3, null] }, ['bbox[0]', 'bbox[3]']],
    [{ tokens_positive: [[-1, 2]] }, ['tokens_positive[0]']],
    [{ tokens_positive: [[0, 1, 2]] }, ['tokens_positive[0]']],
    [{ tokens: [[0, '1']] }, ['tokens[0]']],
    [{ area: 'big' }, ['area']],
  ])('names the field of the annotation in %j', (change, fields) => {
    expect(fieldsOf(row({}, { ...annotation, ...change }))).toEqual(fields.map((field) => `annotations[0].${field}`));
  });

  it('reports a box without area as empty; the row is usable', () => {
    const flat = row({}, { ...annotation, bbox: [5, 5, 0, 10] });
    const problems = problemsOfRow(flat);
    expect(problems.map((problem) => problem.kind)).toEqual(['empty']);
    expect(isUsable(flat, problems)).toBe(true);
  });

  it('accepts rows without captions where they are optional', () => {
    const plain: UncheckedRow = { image: { id: 1, file_name: 'a.jpg', width: 1, height: 1 }, annotations: [] };
    expect(fieldsOf(plain)).toEqual(['caption']);
    expect(problemsOfRow(plain, { captions: 'optional' })).toEqual([]);
  });

  it('accepts sizes in quotes, as in the published Flickr30k files', () => {
    const row: UncheckedRow = {
      image: { id: 1, file_name: 'a.jpg', width: '500', height: '333', caption: 'a' },
      annotations: [],
    };
    expect(problemsOfRow(row)).toEqual([]);
    expect(row.image).toMatchObject({ width: 500, height: 333 });
    expect(problemsOfRow({ image: { ...(row.image as object), width: '5e9' }, annotations: [] })).toMatchObject([
      { field: 'width', message: 'is "5e9", not a positive number' },
    ]);
  });

  it('deletes __proto__ keys, so that copies keep their prototype', () => {
    const parsed = JSON.parse('{"id":1,"file_name":"a","width":1,"height":1,"caption":"x","__proto__":{"bad":1}}');
    const box = JSON.parse('{"image_id":1,"bbox":[0,0,1,1],"__proto__":{"bad":1}}');
    expect(problemsOfRow({ image: parsed, annotations: [box] })).toEqual([]);
    for (const copy of [Object.assign({}, parsed), Object.assign({}, box)])
      expect(Object.getPrototypeOf(copy)).toBe(Object.prototype);
  });

  it('reports rows that are not objects', () => {
    expect(fieldsOf({ image: null, annotations: [] })).toEqual(['image']);
    expect(fieldsOf({ image: [1], annotations: [] })).toEqual(['image']);
    expect(fieldsOf(row({}, [] as object))).toEqual(['annotations[0]']);
  });
});

describe('fileNameProblem', () => {
  it.each(['/etc/passwd', '\\\\host\\x', 'C:\\x.jpg', 'c:x.jpg', 'a/../../b.jpg', '..\\b.jpg', '', 'a\0b'])(
    'refuses %j',
    (name) => expect(fileNameProblem(name)).toBeTypeOf('string'),
  );
  it.each(['a.jpg', 'train/a.jpg', 'a..b.jpg', '..a/b.jpg', 'ünï/🐕.jpg'])('takes %j', (name) =>
    expect(fileNameProblem(name)).toBeUndefined(),
  );
});

describe('segmentations', () => {
  const triangle = [10, 10, 60, 10, 60, 60];
  const withMask = (segmentation: unknown): UncheckedRow => row({}, { ...annotation, segmentation });
  const counts = [100, 200, 640 * 480 - 300];

  it.each([
    ['polygons', [triangle], [triangle]],
    ['one polygon without a list', triangle, [triangle]],
    ['degenerate parts, which are left out', [[1, 1], triangle, [], [1, 2, 3, 4]], [triangle]],
    ['plain run lengths', { size: [480, 640], counts }, { size: [480, 640], counts }],
  ])('takes %s', (_, given, expected) => {
    for (const masks of ['checked', 'required', 'every'] as const) {
      const checked = withMask(given);
      expect(problemsOfRow(checked, { masks })).toEqual([]);
      expect(checked.annotations[0]).toMatchObject({ segmentation: expected });
    }
  });

  it.each([[null], [undefined], [[]], [{}], [[[]]], [[[1, 2, 3, 4]]]])('calls %j missing', (given) => {
    const problems = problemsOfRow(withMask(given), { masks: 'required' });
    expect(problems).toMatchObject([{ field: 'annotations[0].segmentation', kind: 'bad' }]);
    expect(problems[0]!.message).toContain('but masks are asked for');
    expect(problemsOfRow(withMask(given), { masks: 'checked' })).toEqual([]);
    expect(problemsOfRow(row({}, { ...annotation, iscrowd: 1, segmentation: given }), { masks: 'required' })).toEqual(
      [],
    );
  });

  it.each([
    ['a text', 'polygon', '', 'neither polygons nor run lengths'],
    ['a number', 7, '', 'neither polygons nor run lengths'],
    ['a polygon that is no list', [triangle, 'x'], '[1]', 'not a polygon'],
    ['an odd number of coordinates', [[...triangle, 1]], '[0]', 'pairs of x and y'],
    ['a coordinate that is null', [[1, 2, null, 4, 5, 6]], '[0][2]', 'not a coordinate'],
    ['a coordinate that is huge', [[1, 2, 1e300, 4, 5, 6]], '[0][2]', 'not a coordinate'],
    ['an outline that takes minutes to fill', [[0, 0, 9e6, 9e6, 0, 9e6]], '', 'far more than the image'],
    ['more polygons than any object has', Array.from({ length: 10_001 }, () => triangle), '', '10001 polygons'],
    ['a size that is no list', { size: 480, counts }, '.size', 'not [height, width]'],
    ['a transposed size', { size: [640, 480], counts }, '.size', 'is 640x480, the image 480x640'],
    ['counts that are no list', { size: [480, 640], counts: 7 }, '.counts', 'neither a run-length string'],
    ['runs that do not add up', { size: [480, 640], counts: [1, 2] }, '.counts', 'add up to 3'],
    ['a string that is not packed', { size: [480, 640], counts: '!' }, '.counts', 'not a COCO run-length string'],
  ])('names %s', (_, given, field, message) => {
    const named = { field: `annotations[0].segmentation${field}`, message: expect.stringContaining(message) as string };
    expect(problemsOfRow(withMask(given), { masks: 'required' })).toMatchObject([{ ...named, kind: 'bad' }]);
    expect(problemsOfRow(withMask(given), { masks: 'checked' })).toMatchObject([{ ...named, kind: 'mask' }]);
    expect(problemsOfRow(withMask(given))).toEqual([]);
  });
});

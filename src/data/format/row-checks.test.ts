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

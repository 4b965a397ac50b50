import {
  appendFileSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { copyFile, mkdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { MdetrError } from '../../errors.ts';
import { AnnotationIndex } from './annotation-index.ts';
import { RowSyntaxError } from './row-syntax-error.ts';
import { indexPaths } from './index-location.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'mdetr-index-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const write = (text: string, name = 'annotations.json'): string => {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
};
const withIndex = <T>(path: string, use: (index: AnnotationIndex) => T, options = {}): T => {
  const index = AnnotationIndex.open(path, options);
  try {
    return use(index);
  } finally {
    index.close();
  }
};
const rowsOf = (index: AnnotationIndex) => Array.from({ length: index.length }, (_, row) => index.row(row));

interface Document {
  images: { id: number }[];
  annotations: { image_id: number }[];
}
/** Expected rows, computed in memory: parse the file, sort, group. */
const expectedRows = (document: Document) =>
  document.images
    .toSorted((a, b) => a.id - b.id)
    .map((image) => ({
      image,
      annotations: document.annotations.filter((annotation) => annotation.image_id === image.id),
    }));

const small = {
  info: {},
  images: [
    { id: 1, width: 640, height: 480, caption: 'a {"brace"} and a \\ back-slash 🐕' },
    { id: 5, width: 100.7, caption: '"id": 9, "width": 3' },
  ],
  categories: [{ id: 1, name: 'dog' }],
  annotations: [
    { id: 3, image_id: 5, bbox: [1, 2, 3, 4] },
    { id: 4, image_id: 1, nested: { image_id: 5 } },
    { id: 5, image_id: 5 },
    { id: 6, image_id: 77 },
  ],
};

describe('AnnotationIndex', () => {
  it('gives rows by ascending id, each with its annotations, for any layout of the file', () => {
    for (const [n, indent] of [undefined, 1, '\t'].entries()) {
      const path = write(JSON.stringify(small, null, indent), `${n}.json`);
      withIndex(path, (index) => {
        expect(rowsOf(index)).toEqual(expectedRows(small));
        expect([index.length, index.annotationCount, index.orphanCount]).toEqual([2, 3, 1]);
        expect(index.sizeOf(0)).toEqual({ width: 640, height: 480 });
        expect(index.sizeOf(1)).toEqual({ width: 100, height: 0 });
        expect([index.rowOf(1), index.rowOf(5), index.rowOf(4), index.rowOf(6)]).toEqual([0, 1, undefined, undefined]);
        expect(index.section('categories')).toEqual(small.categories);
        expect(index.section('licenses')).toBeUndefined();
      });
    }
  });

  it('equals parsing the whole file, for any document, chunk size and order', () => {
    const id = fc.integer({ min: -5, max: 30 });
    const text = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.constantFrom('image_id', '"id": 3', '}{][,:', '\\', '\u2028'),
    );
    const extra = fc.dictionary(text, fc.jsonValue(), { maxKeys: 3 });
    const image = fc.tuple(extra, id, fc.record({ width: fc.nat(2000), caption: text }));
    const annotation = fc.tuple(
      extra,
      id,
      fc.record({ bbox: fc.array(fc.double({ noNaN: true, noDefaultInfinity: true })) }),
    );
    const document = fc.record({
      images: fc.uniqueArray(image, { selector: ([, imageId]) => imageId, maxLength: 12 }),
      annotations: fc.array(annotation, { maxLength: 40 }),
      info: fc.jsonValue(),
      other: fc.jsonValue(),
    });
    const layout = fc.record({
      chunkBytes: fc.integer({ min: 5, max: 300 }),
      sortBytes: fc.integer({ min: 100, max: 1000 }),
      indent: fc.constantFrom(undefined, 2),
      annotationsFirst: fc.boolean(),
    });
    let n = 0;
    fc.assert(
      fc.property(document, layout, (made, { indent, annotationsFirst, ...options }) => {
        // Keys of `extra` may be `id` or `image_id` too: ours come last and win, as in JSON.parse.
        const images = made.images.map(([others, id, known]) => ({ ...others, ...known, id }));
        const annotations = made.annotations.map(([others, image_id, known]) => ({ ...others, ...known, image_id }));
        const lists = annotationsFirst ? { annotations, images } : { images, annotations };
        const json = JSON.stringify({ info: made.info, ...lists, other: made.other }, null, indent);
        const path = write(json, `${n++}.json`);
        const parsed = JSON.parse(json) as Document;
        withIndex(path, (index) => expect(rowsOf(index)).toEqual(expectedRows(parsed)), options);
      }),
      { numRuns: 100 },
    );
  });

  it('finds keys that are written with escapes', () => {
    const path = write(
      '{"\\u0069mages":[{"\\u0069d":7,"id2":1},{"x":"id","id":9}],"annotations":[{"image_\\u0069d":7,"x":1},{"x":"image_id","image_id":9}]}',
    );
    withIndex(path, (index) =>
      expect(rowsOf(index)).toEqual([
        { image: { id: 7, id2: 1 }, annotations: [{ image_id: 7, x: 1 }] },
        { image: { x: 'id', id: 9 }, annotations: [{ x: 'image_id', image_id: 9 }] },
      ]),
    );
  });

  it('names a key that occurs twice in a row, one of whose values would be lost', () => {
    const path = write('{"images":[{"id":1,"id":9},{"id":10}],"annotations":[{"image_id":10,"bbox":1,"bbox":2}]}');
    withIndex(path, (index) => {
      expect(() => index.row(0)).toThrow(/row 0 \(byte 11\) is not JSON: key "id" occurs twice/);
      expect(() => index.row(1)).toThrow(/row 1 \(byte \d+\) is not JSON: key "bbox" occurs twice/);
    });
  });

  it.each([
    ['UTF-16', Buffer.from('\ufeff{"images":[]}', 'utf16le'), 'the file is UTF-16 text; save it as UTF-8'],
    ['gzip', Buffer.from([0x1f, 0x8b, 8, 0]), 'the file is a gzip archive'],
    ['a Git LFS pointer', Buffer.from('version https://git-lfs.github.com/spec/v1\n'), 'the file is a Git LFS pointer'],
  ])('names %s', (_, bytes, message) => {
    const path = write('');
    writeFileSync(path, bytes);
    expect(() => AnnotationIndex.open(path)).toThrow(message);
  });

  it('builds a damaged index again, or names it', () => {
    const rows = [3, 1, 2].map((id) => ({ id, caption: `row ${id}` }));
    const annotations = rows.flatMap(({ id }) => [
      { image_id: id, bbox: [id] },
      { image_id: id, bbox: [id + 1] },
    ]);
    const path = write(JSON.stringify({ images: rows, annotations, categories: [{ id: 1 }] }));
    const [indexPath] = indexPaths(path) as [string];
    let expected: unknown;
    withIndex(path, (index) => (expected = rowsOf(index)));
    const good = readFileSync(indexPath);
    /** Rows read with a changed index, or the error. */
    const readWith = (change: (bytes: Buffer) => void): unknown => {
      const bytes = Buffer.from(good);
      change(bytes);
      writeFileSync(indexPath, bytes);
      let index: AnnotationIndex | undefined;
      try {
        index = AnnotationIndex.open(path);
        for (const [i, id] of [1, 2, 3].entries()) if (index.rowOf(id) === i) index.sizeOf(i);
        index.section('categories');
        return rowsOf(index);
      } catch (error) {
        return error;
      } finally {
        index?.close();
      }
    };
    const withHeader = (change: (header: Record<string, unknown>) => void) => (bytes: Buffer) => {
      const header = JSON.parse(bytes.toString('utf8', 16, 16 + bytes.readUInt32LE(12))) as Record<string, unknown>;
      change(header);
      const json = Buffer.from(JSON.stringify(header));
      bytes.fill(0, 16, 4096);
      json.copy(bytes, 16);
      bytes.writeUInt32LE(json.length, 12);
    };
    for (const value of [-1, 0.5, 1e18, 2 ** 40, 'x', null])
      for (const key of ['images', 'annotations', 'orphans', 'sections'])
        expect([expected, expect.any(MdetrError)]).toContainEqual(
          readWith(withHeader((header) => (header[key] = value))),
        );
    expect(readWith(withHeader((header) => (header['sections'] = { categories: [5, 1e9] })))).toEqual(expected);

    const record = 4096 + 40;
    const changes: readonly ((bytes: Buffer) => void)[] = [
      (bytes) => bytes.writeUInt32LE(0xffffffff, record + 24),
      (bytes) => bytes.writeDoubleLE(NaN, record + 8),
      (bytes) => bytes.writeDoubleLE(-5, record + 8),
      (bytes) => bytes.writeUInt32LE(0xffffffff, record + 28),
      (bytes) => bytes.writeDoubleLE(0.5, record + 16),
      (bytes) => bytes.writeDoubleLE(1, record + 16),
      (bytes) => bytes.writeDoubleLE(Infinity, 4096 + 3 * 40),
      (bytes) => bytes.writeUInt32LE(0x0fffffff, 4096 + 3 * 40 + 8),
    ];
    for (const change of changes) expect(readWith(change)).toBeInstanceOf(MdetrError);
    expect(readWith(changes[0]!)).toMatchObject({
      message: expect.stringContaining(`${indexPath}: is damaged (row 1)`),
    });
    // Any single byte: the rows are right, or the error is ours.
    fc.assert(
      fc.property(fc.integer({ min: 0, max: good.length - 1 }), fc.integer({ min: 0, max: 255 }), (at, value) => {
        const read = readWith((bytes) => (bytes[at] = value));
        expect(read instanceof MdetrError ? expected : read).toEqual(expected);
      }),
      { numRuns: 300 },
    );
  });

  it('sorts records that do not fit in its memory', () => {
    const count = 3000;
    const idAt = (i: number): number => ((i * 1009) % count) * 70_001 - 2 ** 40;
    const document = {
      images: Array.from({ length: count }, (_, i) => ({ id: idAt(i) })),
      annotations: Array.from({ length: 2 * count }, (_, i) => ({ id: i, image_id: idAt((i * 7) % count) })),
    };
    const path = write(JSON.stringify(document));
    withIndex(path, (index) => expect(rowsOf(index)).toEqual(expectedRows(document)), { sortBytes: 4000 });
  });

  it('accepts sizes in quotes, as in the published Flickr30k files', () => {
    const image = '{"height":"333","id":0,"width":"500","caption":"\\"width\\": 3"}';
    withIndex(write(`{"images":[${image},{"id":1,"width":"wide","height":""}],"annotations":[]}`), (index) => {
      expect(index.sizeOf(0)).toEqual({ width: 500, height: 333 });
      expect(index.sizeOf(1)).toEqual({ width: 0, height: 0 });
    });
    expect(() => AnnotationIndex.open(write('{"images":[{"id":true}]}'))).toThrow(
      /"id" is missing or neither an integer nor a string/,
    );
  });

  it('numbers the rows of lines whose ids are strings', () => {
    const path = write('{"id":"a-1","annotations":[{"x":1}]}\n{"id":"b-2","original_id":7}\n', 'a.jsonl');
    withIndex(path, (index) =>
      expect(rowsOf(index)).toEqual([
        { image: { id: 0, original_id: 'a-1' }, annotations: [{ x: 1, image_id: 0 }] },
        { image: { id: 1, original_id: 7 }, annotations: [] },
      ]),
    );
  });

  it('reads lines of JSON, each an image with its annotations', () => {
    const lines = '{"id":4,"caption":"x","annotations":[{"bbox":[0,0,1,1]}]}\n\n{"id":2,"width":3,"height":2}\r\n';
    withIndex(write(lines, 'a.jsonl'), (index) => {
      expect(rowsOf(index)).toEqual([
        { image: { id: 2, width: 3, height: 2 }, annotations: [] },
        { image: { id: 4, caption: 'x' }, annotations: [{ image_id: 4, bbox: [0, 0, 1, 1] }] },
      ]);
      expect(index.sizeOf(0)).toEqual({ width: 3, height: 2 });
    });
    withIndex(write('{"caption":"a"}\n{"caption":"b"}', 'b.ndjson'), (index) =>
      expect(rowsOf(index).map((row) => row.image)).toEqual([
        { id: 0, caption: 'a' },
        { id: 1, caption: 'b' },
      ]),
    );
  });

  it("reads CLEVR's questions as rows without boxes, in their order", () => {
    const questions = [
      { id: 9, image_filename: 'a.png', question: 'how many?', answer: '3', question_index: 70, program: [{}] },
      { image_filename: 'b.png', question: 'any?', image_id: 0 },
    ];
    withIndex(write(JSON.stringify({ info: { split: 'val' }, questions })), (index) => {
      expect([index.format, index.length, index.annotationCount]).toEqual(['questions', 2, 0]);
      expect(index.sizeOf(1)).toEqual({ width: 0, height: 0 });
      const size = { width: 0, height: 0 };
      const first = { file_name: 'a.png', caption: 'how many?', answer: '3', question_index: 70, program: [{}] };
      expect(rowsOf(index)).toEqual([
        { image: { id: 0, ...first, ...size }, annotations: [] },
        { image: { id: 1, file_name: 'b.png', caption: 'any?', image_id: 0, ...size }, annotations: [] },
      ]);
    });
  });

  it.each([
    ['', 0, 1, 'expected an object'],
    ['[1]', 0, 1, 'expected an object'],
    ['{"annotations":[]}', 0, 1, 'no "images" list'],
    ['{"questions":[],\n"images":[]}', 17, 2, 'there are both "images" and "questions"'],
    ['{"questions":[{},7]}', 17, 1, 'expected a question object'],
    ['{"images":\n[{"id":1},\n]}', 22, 3, 'expected an image object, found ]'],
    ['{"images":[{"id":1} {"id":2}]}', 20, 1, 'expected "," or "]", found {'],
    ['{"images":[{"id":1}]\n"annotations":[]}', 21, 2, 'expected "," or "}"'],
    ['{"images":[{"id":1},{"id":[2]}]}', 20, 1, '"id" is missing or neither an integer nor a string in element 1'],
    ['{"images":[{"id":12345678901234567890}]}', 11, 1, '"id" in element 0 has more digits than a number keeps'],
    ['{"images":[{"id":"a"},{"id":"a"}]}', 22, 1, 'image id a is also that of the image at byte 11'],
    ['{"images":[{"id":1.5}]}', 11, 1, '"id" is missing or neither an integer nor a string in element 0'],
    ['{"images":[],"annotations":[{"id":3}]}', 28, 1, '"image_id" is missing'],
    ['{"images":{}}', 10, 1, 'expected a list, found {'],
    ['{"images":[]}\n{"images":[]}', 14, 2, 'expected nothing more'],
    ['{"images":[],"images":[]}', 13, 1, '"images" occurs twice'],
    ['{"images":[{"id":1},\n{"id":1}]}', 21, 2, 'image id 1 is also that of the image at byte 11'],
    ['{"images":[],"x":tru}', 17, 1, 'expected a value'],
    ['{"images":[{"id":1,"caption":"', 29, 1, 'the string that begins here is never closed'],
    ['{"images":[{"id":1', 11, 1, 'the "{" here is never closed'],
    ['\0\0\0', 0, 1, 'found byte 0x00'],
  ])('refuses %j, naming byte and line', (text, byte, line, message) => {
    const path = write(text);
    expect(() => AnnotationIndex.open(path)).toThrow(`${path}: byte ${byte} (line ${line}): `);
    expect(() => AnnotationIndex.open(path)).toThrow(message);
    expect(readdirSync(folder)).toEqual(['annotations.json']);
  });

  it('refuses a truncated file, and leaves no other file behind', () => {
    const whole = JSON.stringify(small);
    const path = write(whole);
    for (let length = Buffer.byteLength(whole) - 1; length >= 0; length--) {
      truncateSync(path, length);
      expect(() => AnnotationIndex.open(path, { chunkBytes: 16 })).toThrow(/byte \d+ \(line 1\)/);
    }
    expect(readdirSync(folder)).toEqual(['annotations.json']);
  });

  it('names the row whose text is not JSON, and reads the others', () => {
    const path = write('{"images":[{"id":1,"x":tru},{"id":2}],\n"annotations":[{"image_id":2,"bbox":[1 2]}]}');
    withIndex(path, (index) => {
      expect(() => index.row(0)).toThrow(RowSyntaxError);
      expect(() => index.row(0)).toThrow(`${path}: row 0 (byte 11) is not JSON`);
      expect(() => index.row(1)).toThrow(`${path}: row 1 (byte 54) is not JSON`);
      expect(index.image(1)).toEqual({ id: 2 });
    });
  });

  it('reads what Python writes for numbers that are not finite', () => {
    const path = write(
      '{"images":[{"id":1,"c":"NaN \\" NaN","w":NaN}],"annotations":[{"image_id":1,"bbox":[-Infinity,0,1,1]}]}',
    );
    withIndex(path, (index) =>
      expect(index.row(0)).toEqual({
        image: { id: 1, c: 'NaN " NaN', w: 'NaN' },
        annotations: [{ image_id: 1, bbox: ['-Infinity', 0, 1, 1] }],
      }),
    );
  });

  it('skips a byte order mark', () => {
    withIndex(write('\ufeff {"images":[{"id":1}]}'), (index) => expect(index.length).toBe(1));
  });

  it('builds the index once, and again when the file was changed', () => {
    const path = write(JSON.stringify(small));
    const madeAt = (): bigint => withIndex(path, (index) => statSync(index.indexFile, { bigint: true }).mtimeNs);
    utimesSync(path, 1000, 1000);
    const first = madeAt();
    expect(madeAt()).toBe(first);
    // Same size, same time: the sample tells.
    writeFileSync(path, JSON.stringify(small).replace('"id":5', '"id":6'));
    utimesSync(path, 1000, 1000);
    expect(withIndex(path, (index) => index.idOf(1))).toBe(6);
    // Another time alone will do.
    const second = madeAt();
    utimesSync(path, 1000, 1001);
    expect(madeAt()).toBeGreaterThan(second);
    appendFileSync(path, ' ');
    utimesSync(path, 1000, 1001);
    expect(withIndex(path, (index) => index.length)).toBe(2);
  });

  it('reports a file that changes under an open index', () => {
    const path = write(JSON.stringify(small));
    withIndex(path, (index) => {
      writeFileSync(path, JSON.stringify(small).replace('"id":1,"width"', '"id":8,"width"'));
      expect(() => index.row(0)).toThrow('was changed after');
      truncateSync(path, 40);
      expect(() => index.row(0)).toThrow('ends before byte');
    });
  });

  it('rejects an index that is truncated, overwritten or of another version', () => {
    const path = write(JSON.stringify(small));
    const indexFile = withIndex(path, (index) => index.indexFile);
    const whole = readFileSync(indexFile);
    const spoil: ((bytes: Buffer) => Buffer)[] = [
      ...Array.from(
        { length: 20 },
        (_, i) => (bytes: Buffer) => bytes.subarray(0, Math.floor((bytes.length * i) / 20)),
      ),
      (bytes) => bytes.subarray(0, -1),
      (bytes) => Buffer.concat([bytes, Buffer.from([0])]),
      (bytes) => Buffer.concat([Buffer.alloc(4096), bytes.subarray(4096)]),
      (bytes) => Buffer.concat([bytes.subarray(0, -8), Buffer.alloc(8)]),
      (bytes) => Buffer.concat([bytes.subarray(0, 8), Buffer.from([99]), bytes.subarray(9)]),
      (bytes) => Buffer.concat([bytes.subarray(0, 20), Buffer.from('#'), bytes.subarray(21)]),
    ];
    for (const change of spoil) {
      writeFileSync(indexFile, change(Buffer.from(whole)));
      withIndex(path, (index) => expect(rowsOf(index)).toEqual(expectedRows(small)));
      expect(readFileSync(indexFile)).toEqual(whole);
    }
  });

  it('uses an index of the cache folder when there is none beside the file', async () => {
    const path = write(JSON.stringify(small));
    const cacheFolder = join(folder, 'cache');
    const [beside, cached] = indexPaths(path, cacheFolder);
    withIndex(path, (index) => expect(index.indexFile).toBe(beside));
    await mkdir(dirname(cached!), { recursive: true });
    await copyFile(beside!, cached!);
    rmSync(beside!);
    withIndex(path, (index) => expect(index.indexFile).toBe(cached), { cacheFolder });
    expect(existsSync(beside!)).toBe(false);
  });

  it('names a missing file', () => {
    expect(() => AnnotationIndex.open(join(folder, 'none.json'))).toThrow('none.json: no such annotation file');
  });
});

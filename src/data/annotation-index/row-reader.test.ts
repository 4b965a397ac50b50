import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { AnnotationIndex } from './annotation-index.ts';
import { RowReader } from './row-reader.ts';

let folder: string;
let index: AnnotationIndex;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'mdetr-reader-'));
  const path = join(folder, 'a.json');
  const image = '"file_name":"a.jpg","width":10,"height":10,"caption":"a dog"';
  writeFileSync(
    path,
    `{"images":[{"id":10,${image}},{"id":11,${image},"broken":},{"id":12,${image}},{"id":13,${image}}],
      "annotations":[{"image_id":10,"bbox":[0,0,1,0],"tokens_positive":[[2,5]]},
        {"image_id":12,"bbox":[0,NaN,1,1],"tokens_positive":[[2,6]]}]}`,
  );
  index = AnnotationIndex.open(path);
});
afterAll(() => {
  index.close();
  rmSync(folder, { recursive: true });
});

describe('RowReader', () => {
  it('stops at a bad row with its file, row, field and the way out', () => {
    const reader = new RowReader(index);
    expect(reader.read(0)?.image.file_name).toBe('a.jpg');
    expect(() => reader.read(1)).toThrow(/a\.json: row 1 \(byte \d+\) is not JSON/);
    expect(() => reader.read(2)).toThrow(
      `${index.annotationFile}: row 2 (image id 12): annotations[0].bbox[1] is "NaN", not a finite number, and 1 more. ` +
        'Fix the row, or pass `--on-bad-row skip` to ignore such rows.',
    );
    expect(reader.counts).toEqual({ read: 1, skipped: 0, emptyBoxes: 1 });
  });

  it("names the fields of CLEVR's questions as in their file", () => {
    const path = join(folder, 'CLEVR_val_questions.json');
    const questions = [
      { image_filename: 'a.png', question: 'any?' },
      { image_filename: '../a.png', question: 'any?' },
      { image_filename: 'a.png', question: ' ' },
      { question: 7 },
    ];
    writeFileSync(path, JSON.stringify({ questions }));
    const own = AnnotationIndex.open(path);
    try {
      const reader = new RowReader(own);
      expect(reader.read(0)?.annotations).toEqual([]);
      expect(() => reader.read(1)).toThrow(/questions\.json: row 1 \(image id 1\): image_filename is outside/);
      expect(() => reader.read(2)).toThrow(/row 2 .*: question is empty/);
      expect(() => reader.read(3)).toThrow(/row 3 .*: image_filename is missing, not a string, and 1 more/);
    } finally {
      own.close();
    }
  });

  it('skips and counts bad rows when told to', () => {
    const problems: string[] = [];
    const reader = new RowReader(index, {
      onBadRow: 'skip',
      onProblem: ({ row, field, kind }) => problems.push(`${row} ${field} ${kind}`),
    });
    expect([0, 1, 2, 3].map((row) => reader.read(row)?.image.id)).toEqual([10, undefined, undefined, 13]);
    expect(reader.counts).toEqual({ read: 2, skipped: 2, emptyBoxes: 1 });
    expect(problems).toEqual([
      '0 annotations[0].bbox empty',
      '1 the row bad',
      '2 annotations[0].bbox[1] bad',
      '2 annotations[0].tokens_positive[0] bad',
    ]);
  });
});

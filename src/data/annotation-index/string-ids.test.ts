import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { temporaryFolder } from '../../../test/support/run-preparation.ts';
import { AnnotationIndex } from './annotation-index.ts';
import { RowReader } from './row-reader.ts';

const image = { file_name: 'a.jpg', width: 10, height: 10, caption: 'a dog' };
const box = { bbox: [1, 2, 3, 4], area: 12, iscrowd: 0, category_id: 1, tokens_positive: [[0, 5]] };

const rowsOf = (
  images: readonly object[],
  annotations: readonly object[],
  order: 'images' | 'annotations' = 'images',
) => {
  const path = join(temporaryFolder(), 'a.json');
  writeFileSync(path, JSON.stringify(order === 'images' ? { images, annotations } : { annotations, images }));
  const index = AnnotationIndex.open(path);
  const reader = new RowReader(index);
  const rows = Array.from({ length: index.length }, (_, row) => reader.read(row)!);
  index.close();
  return rows;
};

describe('image ids that are strings', () => {
  it.each(['images', 'annotations'] as const)('join images and annotations (%s first)', (order) => {
    const rows = rowsOf(
      [
        { id: 'u-2', ...image },
        { id: 'a "b".jpg', ...image, file_name: 'b.jpg' },
      ],
      [
        { id: 1, image_id: 'a "b".jpg', ...box },
        { id: 2, image_id: 'u-2', ...box },
        { id: 3, image_id: 'none', ...box },
      ],
      order,
    );
    const found = rows.map(({ image, annotations }) => ({
      id: (image as { original_id?: unknown }).original_id,
      boxes: annotations.map(({ id, image_id }) => [id, image_id === image.id]),
    }));
    expect(found).toHaveLength(2);
    expect(found).toContainEqual({ id: 'u-2', boxes: [[2, true]] });
    expect(found).toContainEqual({ id: 'a "b".jpg', boxes: [[1, true]] });
  });

  it('are numbers where they are integers in quotes', () => {
    const rows = rowsOf(
      [
        { id: '17', ...image },
        { id: 18, ...image },
      ],
      [
        { id: 1, image_id: 17, ...box },
        { id: 2, image_id: '18', ...box },
      ],
    );
    expect(rows.map(({ image, annotations }) => [image.id, annotations.map(({ id }) => id)])).toEqual([
      [17, [1]],
      [18, [2]],
    ]);
  });

  it('keep leading zeros, and stand beside numbers', () => {
    const rows = rowsOf(
      [
        { id: 7, ...image },
        { id: '007', ...image },
      ],
      [{ id: 1, image_id: '007', ...box }],
    );
    expect(rows.map(({ annotations }) => annotations.length)).toEqual([0, 1]);
    expect(rows[1]!.image).toMatchObject({ original_id: '007' });
  });

  it('are refused if they occur twice', () => {
    expect(() =>
      rowsOf(
        [
          { id: 'x', ...image },
          { id: 'x', ...image },
        ],
        [],
      ),
    ).toThrow(/image id .* is also that of/);
  });
});

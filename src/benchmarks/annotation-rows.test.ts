import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { temporaryFolder } from '../../test/support/run-preparation.ts';
import { openRows } from './annotation-rows.ts';

describe('openRows', () => {
  it('leaves out rows that cannot be used in every further iteration, and counts them', async () => {
    const path = join(temporaryFolder(), 'a.json');
    const image = { width: 10, height: 10, caption: 'a dog' };
    const names = ['a.jpg', 'broken.jpg', 'c.jpg', 'broken.jpg'];
    const images = names.map((file_name, id) => ({ id, file_name, ...image }));
    writeFileSync(path, JSON.stringify({ images: [...images, { id: 9, ...image }], annotations: [] }));
    const rows = openRows({ annotations: path, onBadRow: 'skip' });
    await rows.leaveOut((row) => Promise.resolve(row.image.file_name !== 'broken.jpg'));
    const kept = (): string[] => Array.from(rows, (row) => row.image.file_name);
    expect(kept()).toEqual(['a.jpg', 'c.jpg']);
    expect(kept()).toEqual(['a.jpg', 'c.jpg']);
    expect(rows.skipped).toBe(3);
    expect(rows.length).toBe(5);
    rows.close();
  });
});

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { fileNameProblem } from '../../format/row-checks.ts';
import { ImageRoots, otherSpellings, splitSource } from './image-roots.ts';

describe('ImageRoots', () => {
  it('finds the folder of a collection, else the default folder', () => {
    const roots = ImageRoots.parse(['/data/all', 'coco=/data/train2014']);
    expect(roots.pathOf({ file_name: 'a.jpg', data_source: 'coco' })).toBe(join('/data/train2014', 'a.jpg'));
    expect(roots.pathOf({ file_name: 'b/a.jpg', data_source: 'vg' })).toBe(join('/data/all', 'b/a.jpg'));
    expect(roots.pathOf({ file_name: 'a.jpg' })).toBe(join('/data/all', 'a.jpg'));
  });

  it('never leaves the folder', () => {
    expect(() => ImageRoots.parse(['x']).pathOf({ file_name: '../a.jpg' })).toThrow('is outside of the image folder');
    expect(() => ImageRoots.parse(['x']).pathOf({ file_name: '/a.jpg' })).toThrow('absolute');
  });

  it('finds files whose names another system spells differently', () => {
    const folder = mkdtempSync(join(tmpdir(), 'mdetr-roots-'));
    try {
      const composed = 'Z\u00fcrich.jpg';
      const decomposed = 'Zu\u0308rich 2.jpg';
      mkdirSync(join(folder, 'sub'));
      for (const name of ['sub/a.jpg', 'my photo.jpg', '100%.jpg', composed, decomposed])
        writeFileSync(join(folder, name), '');
      const found = (file_name: string): string => ImageRoots.parse([folder]).pathOf({ file_name });
      expect(found('sub\\a.jpg')).toBe(join(folder, 'sub/a.jpg'));
      expect(found('my%20photo.jpg')).toBe(join(folder, 'my photo.jpg'));
      expect(found('100%.jpg')).toBe(join(folder, '100%.jpg'));
      expect(found(composed.normalize('NFD'))).toBe(join(folder, composed));
      expect(found(encodeURI(decomposed.normalize('NFC')))).toBe(join(folder, decomposed));
      expect(found('none%20.jpg')).toBe(join(folder, 'none%20.jpg'));
      writeFileSync(join(folder, 'my%20photo.jpg'), ''); // The name itself comes first.
      expect(found('my%20photo.jpg')).toBe(join(folder, 'my%20photo.jpg'));
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('tries no spelling outside of the folder', () => {
    for (const name of ['%2e%2e/a.jpg', '%2Fetc%2Fpasswd', 'a%00.jpg', 'a/..%5cb.jpg'])
      for (const spelling of otherSpellings(name)) expect(fileNameProblem(spelling)).toBeUndefined();
    expect(otherSpellings('%2e%2e/a.jpg')).toEqual([]);
  });

  it('names a folder that is missing or given twice', () => {
    const roots = ImageRoots.parse(['coco=/c']);
    expect(() => roots.pathOf({ file_name: 'a', data_source: 'vg' })).toThrow('--images vg=FOLDER');
    expect(() => roots.pathOf({ file_name: 'a' })).toThrow('--images FOLDER');
    expect(() => ImageRoots.parse(['a', 'b'])).toThrow('two image folders for all rows');
  });
});

describe('splitSource', () => {
  it.each([
    ['vg=regions.json', { source: 'vg', path: 'regions.json' }],
    ['./a=b.json', { path: './a=b.json' }],
    ['a.json', { path: 'a.json' }],
    ['refcoco+=a=b.json', { source: 'refcoco+', path: 'a=b.json' }],
  ])('%s', (text, expected) => expect(splitSource(text)).toEqual(expected));
});

import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ImageRoots, splitSource } from './image-roots.ts';

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

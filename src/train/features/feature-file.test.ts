import { truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { temporaryFolder } from '../../../test/support/weight-files.ts';
import { FeatureFile } from './feature-file.ts';

const root = temporaryFolder();
afterAll(() => root.remove());
const specs = [
  { name: 'map', shape: [2, 3] },
  { name: 'score', shape: [1] },
];

describe('FeatureFile', () => {
  it('keeps records as half floats, written in any order by several writers, and knows which are there', () => {
    const folder = join(root.path, 'written');
    const [first, second] = [0, 1].map(() => FeatureFile.create(folder, 'digest', 4, specs)) as [
      FeatureFile,
      FeatureFile,
    ];
    first.write(2, { map: Float32Array.of(1, 2, 3, 4, 5, 6), score: Float32Array.of(0.5) });
    second.write(0, { map: new Float32Array(6), score: Float32Array.of(-2) });
    first.close();
    second.close();
    const file = FeatureFile.open(folder);
    expect([0, 1, 2, 3].map((image) => file.has(image))).toEqual([true, false, true, false]);
    expect(file.count).toBe(2);
    expect(file.read(2)['map']).toEqual({ dtype: 'float32', shape: [2, 3], data: Float32Array.of(1, 2, 3, 4, 5, 6) });
    expect(file.read(0)['score']!.data).toEqual(Float32Array.of(-2));
    expect(() => file.read(1)).toThrow(/features of image 1 have not been computed/);
    file.close();
  });

  it('is continued only for the same images and weights', () => {
    const folder = join(root.path, 'other');
    FeatureFile.create(folder, 'one', 4, specs).close();
    expect(() => FeatureFile.create(folder, 'two', 4, specs)).toThrow(/features of other images or weights/);
    expect(() => FeatureFile.create(folder, 'one', 5, specs)).toThrow(/other images or weights/);
  });

  it('refuses truncated and foreign files', () => {
    const folder = join(root.path, 'broken');
    const file = FeatureFile.create(folder, 'digest', 2, specs);
    file.write(1, { map: new Float32Array(6), score: new Float32Array(1) });
    file.close();
    truncateSync(join(folder, 'features.bin'), 20);
    const opened = FeatureFile.open(folder);
    expect(() => opened.read(1)).toThrow(/truncated at image 1/);
    opened.close();
    for (const contents of [
      '{"version": 2}',
      '[]',
      '{"version": 1, "digest": "", "images": 1, "tensors": [{"name": "x", "shape": [-1]}]}',
    ]) {
      writeFileSync(join(folder, 'features.json'), contents);
      expect(() => FeatureFile.open(folder)).toThrow(/is not a header of features/);
    }
    expect(() => FeatureFile.open(join(root.path, 'missing'))).toThrow(/has no features/);
  });

  it('names a tensor of the wrong length', () => {
    const file = FeatureFile.create(join(root.path, 'length'), 'digest', 1, specs);
    expect(() => file.write(0, { map: new Float32Array(5), score: new Float32Array(1) })).toThrow(
      /"map" has 5 values, not 6/,
    );
    file.close();
  });
});

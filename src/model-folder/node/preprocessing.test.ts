import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { parseModelConfig } from '../../models/index.ts';
import { readPreprocessing } from './model-source.ts';

it('images come to the size of the data that a checkpoint was trained on, unless a file says otherwise', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'mdetr-preprocessing-'));
  const path = join(folder, 'preprocessor_config.json');
  const sizeFor = async (datasets: readonly string[]): Promise<readonly number[]> => {
    const { shortestEdge, longestEdge } = await readPreprocessing(
      path,
      parseModelConfig({ combine_datasets: datasets }),
    );
    return [shortestEdge, longestEdge];
  };
  try {
    expect(await sizeFor([])).toEqual([800, 1333]);
    expect(await sizeFor(['flickr', 'mixed'])).toEqual([800, 1333]);
    // The official code does not resize CLEVR's images, which are 480 × 320.
    expect(await sizeFor(['clevr'])).toEqual([320, 480]);
    expect(await sizeFor(['clevr_question'])).toEqual([320, 480]);
    expect(await sizeFor(['clevr', 'gqa'])).toEqual([800, 1333]);
    writeFileSync(path, JSON.stringify({ size: { shortest_edge: 128, longest_edge: 192 } }));
    expect(await sizeFor(['clevr'])).toEqual([128, 192]);
    // Older layouts of the hub.
    writeFileSync(
      path,
      JSON.stringify({ size: 600, max_size: 1000, do_resize: true, do_normalize: true, resample: 2 }),
    );
    expect(await sizeFor([])).toEqual([600, 1000]);
    writeFileSync(
      path,
      JSON.stringify({ size: { shortest_edge: 600 }, max_size: 1000, image_mean: [0.485, 0.456, 0.406] }),
    );
    expect(await sizeFor([])).toEqual([600, 1000]);
    for (const [key, value] of Object.entries({ do_normalize: false, image_mean: [0.5, 0.5, 0.5], resample: 3 })) {
      writeFileSync(path, JSON.stringify({ size: 600, max_size: 1000, [key]: value }));
      await expect(sizeFor([])).rejects.toThrow(
        `"${key}" is ${JSON.stringify(value)}, but MDETR's images are prepared`,
      );
    }
    for (const size of [undefined, null, 'x', 10, { shortest_edge: 1e9, longest_edge: 1e9 }]) {
      writeFileSync(path, JSON.stringify({ size, max_size: 1000 }));
      await expect(sizeFor([])).rejects.toThrow(/needs "size"/);
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

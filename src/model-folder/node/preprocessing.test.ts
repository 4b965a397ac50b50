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
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { tensorSource, writeSafetensors } from '../../checkpoints/index.ts';
import { sharedTensor } from '../optimizer/shared-values.ts';
import { loadParameters } from './parameters.ts';

const folder = mkdtempSync(join(tmpdir(), 'mdetr-parameters-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const NAME = 'query_embed.weight';

describe('weights of a model with fewer queries than the network', () => {
  it.each([NAME, `detr.${NAME}`])('start further queries near the trained ones (stored as %s)', async (stored) => {
    const path = join(folder, `${stored}.safetensors`);
    const trained = Float32Array.from({ length: 8 }, (_, i) => 1 + i);
    await writeSafetensors(path, [tensorSource(stored, [2, 4], trained)]);
    const noise = Float32Array.from({ length: 20 }, (_, i) => (i % 3) - 1);
    const values = new Map([[NAME, sharedTensor({ shape: [5, 4], dtype: 'float32', data: noise })]]);
    const { text } = await loadParameters(values, path);
    expect(text).toContain('3 further queries');
    const data = values.get(NAME)!.data as Float32Array;
    expect([...data.subarray(0, 8)]).toEqual([...trained]);
    const limit = 0.2 * Math.max(...trained);
    for (let i = 8; i < 20; i++) expect(Math.abs(data[i]! - trained[i % 8]!)).toBeLessThan(limit);
    expect([...data.subarray(8, 12)]).not.toEqual([...data.subarray(16, 20)]);
  });

  it('are refused if the network has fewer', async () => {
    const path = join(folder, 'more.safetensors');
    await writeSafetensors(path, [tensorSource(NAME, [2, 4], new Float32Array(8))]);
    const values = new Map([[NAME, sharedTensor({ shape: [1, 4], dtype: 'float32', data: new Float32Array(4) })]]);
    await expect(loadParameters(values, path)).rejects.toThrow(/query_embed.weight is \[2,4\] and should be \[1,4\]/);
  });
});

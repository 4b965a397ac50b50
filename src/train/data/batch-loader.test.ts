import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it, vi } from 'vitest';
import { smallConfig, smallDataset } from '../../../test/support/small-run.ts';
import type { DatasetConfig } from '../config/slices/datasets.ts';
import { BatchLoader, defaultWorkers } from './batch-loader.ts';
import type { BatchRequest, MadeBatch } from './batch-maker.ts';

// Threads take a while to start where much else is going on.
vi.setConfig({ testTimeout: 180_000 });

const folder = mkdtempSync(join(tmpdir(), 'mdetr-loader-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const requests: readonly BatchRequest[] = Array.from({ length: 5 }, (_, index) => ({
  rows: [index, index + 1],
  key: { seed: 3, epoch: index % 2, pairsBefore: index * 2 },
}));
const more = {
  encoder_auxiliary_loss: 1,
  backbone_auxiliary_loss: 1,
  mask_model: 'smallconv',
  hidden_dim: 128,
  nheads: 8,
};

const loaderOf = (workers: number, datasets?: readonly DatasetConfig[], values = {}): BatchLoader => {
  const config = smallConfig({ ...more, ...values });
  return new BatchLoader(
    { config, datasets: datasets ?? config.datasets, tokenizer: 'configs/scenes/plain-words', maxTokens: 38 },
    workers,
  );
};

const load = async (workers: number): Promise<MadeBatch[]> => {
  const loader = loaderOf(workers);
  const made: MadeBatch[] = [];
  try {
    for await (const batch of loader.batches(requests)) made.push(batch);
  } finally {
    await loader.close();
  }
  return made;
};

describe('the batch loader', () => {
  it('gives the same batches in the same order, whatever the number of threads', async () => {
    const alone = await load(0);
    expect(alone).toHaveLength(5);
    expect(alone[0]!.batch.ids).toHaveLength(2);
    expect(alone[0]!.batch.ids).not.toEqual(alone[1]!.batch.ids);
    expect(await load(2)).toEqual(alone);
  });

  it("throws a thread's error with its message at the batch's turn", async () => {
    const dataset = await smallDataset(join(folder, 'set'), 6);
    dataset.annotations.images[3]!['caption'] = '';
    dataset.write();
    const loader = loaderOf(1, [{ annotations: dataset.file, images: dataset.images }], {
      mask_model: 'none',
      backbone_auxiliary_loss: 0,
    });
    const seen: number[] = [];
    const run = async (): Promise<void> => {
      for await (const { batch } of loader.batches(requests)) seen.push(batch.ids.length);
    };
    const error = await run().catch((thrown: unknown) => thrown as Error);
    await loader.close();
    expect(seen).toEqual([2, 2]);
    expect(error).toMatchObject({ name: 'MdetrError' });
    expect((error as Error).message).toMatch(/row 3 \(image id 4\): caption is empty/);
  });

  it('reports data that cannot be opened with the first batch', async () => {
    writeFileSync(join(folder, 'broken.json'), '{"images": [');
    for (const workers of [0, 1]) {
      const loader = loaderOf(workers, [{ annotations: join(folder, 'broken.json'), images: folder }]);
      const first = loader.batches(requests).next();
      await expect(first, `${workers} threads`).rejects.toThrow(/broken\.json/);
      await loader.close().catch(() => undefined);
    }
  });

  it('ends its threads when it is closed early', async () => {
    const loader = loaderOf(1);
    const batches = loader.batches(requests);
    await batches.next();
    await batches.return(undefined);
    await loader.close();
    expect(process.getActiveResourcesInfo().filter((name) => name === 'Worker')).toEqual([]);
  });

  it('uses at most half of the cores by default', () => {
    expect(defaultWorkers()).toBeGreaterThanOrEqual(1);
    expect(defaultWorkers()).toBeLessThanOrEqual(5);
  });
});

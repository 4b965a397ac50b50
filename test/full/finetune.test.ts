import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { finetune } from '../../src/train/finetune/finetune.ts';
import { drawShapes } from '../support/shape-dataset.ts';
import { temporaryFolder } from '../support/run-preparation.ts';

describe.runIf(process.env['MDETR_TEST_FULL'] === '1')(
  'fine-tuning with the settings that follow from the data',
  () => {
    it('does not make the model worse on the validation part of 12 images', async () => {
      const folder = temporaryFolder();
      await drawShapes(folder, 12);
      const { summary, before, model } = await finetune({
        source: folder,
        out: join(folder, 'out'),
        settings: ['max_steps=60'],
      });
      expect(summary.isDone).toBe(true);
      expect(summary.best!.metric).toBeGreaterThanOrEqual(before!);
      expect(JSON.parse(readFileSync(join(model, 'config.json'), 'utf8'))).toMatchObject({
        num_queries: expect.any(Number),
      });
    }, 280_000);
  },
);

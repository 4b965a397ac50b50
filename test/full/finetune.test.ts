import { copyFileSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { exportResults } from '../../src/datasets/export/export-results.ts';
import { importDataset } from '../../src/datasets/import/import-dataset.ts';
import { MDETR } from '../../src/inference/node/mdetr.ts';
import { finetune } from '../../src/train/finetune/finetune.ts';
import { drawShapes, SHAPE_NAMES } from '../support/shape-dataset.ts';
import { temporaryFolder } from '../support/run-preparation.ts';

describe.runIf(process.env['MDETR_TEST_FULL'] === '1')(
  'fine-tuning with the settings that follow from the data',
  () => {
    it('does not make the model worse on the validation part of 12 images, reports, and closes the loop of Label Studio', async () => {
      const folder = temporaryFolder();
      const [labeled, fresh] = [join(folder, 'labeled'), join(folder, 'new')];
      await drawShapes(labeled, 12);
      const { summary, before, model, report } = await finetune({
        source: labeled,
        out: join(folder, 'out'),
        settings: ['max_steps=60', 'report_to="mlflow"'],
      });
      expect(summary.isDone).toBe(true);
      expect(summary.best!.metric).toBeGreaterThanOrEqual(before!);
      expect(JSON.parse(readFileSync(join(model, 'config.json'), 'utf8'))).toMatchObject({
        num_queries: expect.any(Number),
      });
      const page = readFileSync(report!, 'utf8');
      for (const title of ['Metrics', 'Training', 'Confusion', 'Errors by kind', 'Settings and their reasons'])
        expect(page).toContain(`<h2>${title}</h2>`);
      expect(readdirSync(join(folder, 'out/run/mlruns/1'))).toHaveLength(2);

      // The model labels three new images.
      await drawShapes(fresh, 3, 2);
      const images = readdirSync(join(fresh, 'images')).map((name) => join(fresh, 'images', name));
      const tasks = join(folder, 'tasks.json');
      const loaded = await MDETR.fromPretrained(model);
      try {
        const results = [];
        for (const image of images)
          results.push(await loaded.detect(image, `${SHAPE_NAMES.join('. ')}.`, { threshold: 0.01 }));
        const path = tasks;
        const { objects } = await exportResults(results, { format: 'labelstudio', path, classes: SHAPE_NAMES });
        expect(objects).toBeGreaterThan(0);
      } finally {
        await loaded.dispose();
      }

      // A person deletes all boxes but the best one of each image, renames it, and submits the task.
      type Task = { data: object; predictions: { result: { value: Record<string, unknown> }[] }[] };
      const corrected = (JSON.parse(readFileSync(tasks, 'utf8')) as Task[]).map(({ data, predictions }, id) => ({
        id,
        data,
        annotations: [
          {
            id,
            was_cancelled: false,
            result: predictions[0]!.result.slice(0, 1).map((region) => ({
              ...region,
              value: { ...region.value, rectanglelabels: ['star'] },
            })),
          },
        ],
        predictions,
      }));
      const next = join(folder, 'next');
      mkdirSync(next);
      writeFileSync(join(next, 'project-2.json'), JSON.stringify(corrected));
      for (const image of images) copyFileSync(image, join(next, image.split(/[\\/]/).at(-1)!));
      const imported = await importDataset({ source: next, out: join(folder, 'dataset') });
      expect(imported).toMatchObject({ format: 'labelstudio', leftOut: [] });
      expect(imported.classes).toEqual({
        star: corrected.filter(({ annotations }) => annotations[0]!.result.length > 0).length,
      });
    }, 560_000);
  },
);

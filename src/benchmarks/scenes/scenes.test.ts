import { chmodSync, cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { MDETR } from '../../inference/node/mdetr.ts';
import { evaluateScenes } from './evaluate-scenes.ts';
import { worstCasesPage } from '../worst-cases-page.ts';

const cacheDir = mkdtempSync(join(tmpdir(), 'mdetr-scenes-'));
let model: MDETR;
beforeAll(async () => {
  model = await MDETR.fromPretrained('default', { cacheDir });
});
afterAll(async () => {
  await model.dispose();
  rmSync(cacheDir, { recursive: true, force: true });
});

describe('the scenes benchmark', () => {
  const options = { split: 'standard', seed: 77, images: 4, textsPerKind: 2, threshold: 0.7, worst: 3 } as const;

  it('measures every kind of text, with the same results every time', async () => {
    const first = await evaluateScenes(model, options);
    const again = await evaluateScenes(model, options);
    expect(again.results).toEqual(first.results);
    const [metrics, items] = first.results;
    for (const name of [
      'phrase Recall@1',
      'phrase mean IoU',
      'referring precision@1',
      'mask mean IoU',
      'question accuracy',
      'mentioned objects boxed',
      'mentioned objects boxed twice',
      'absent phrases boxed',
      'box AP@50',
    ]) {
      expect(metrics!.metrics[name], name).toBeGreaterThanOrEqual(0);
      expect(metrics!.metrics[name], name).toBeLessThanOrEqual(1);
    }
    // Far below the results of the default model over many scenes, but above those of a broken model or metric.
    for (const name of ['phrase Recall@1', 'referring precision@1', 'mask mean IoU', 'mentioned objects boxed'])
      expect(metrics!.metrics[name], name).toBeGreaterThan(0.6);
    expect(items!.metrics['referring precision@1']).toBe(8);
    expect(items!.metrics['question accuracy']).toBe(8);
  });

  it("measures at the model's calibrated threshold unless told otherwise", async () => {
    const folder = join(cacheDir, 'calibrated');
    cpSync(fileURLToPath(new URL('../../../models/default', import.meta.url)), folder, { recursive: true });
    const path = join(folder, 'config.json');
    const data = { name: 'x', images: 1, captions: 1, boxes: 1, present_phrases: 1, absent_phrases: 1 };
    const calibration = { threshold: 0.999999, presence: 0.5, data };
    const config = JSON.parse(readFileSync(path, 'utf8')) as object;
    chmodSync(path, 0o644);
    writeFileSync(path, JSON.stringify({ ...config, calibration }));
    await using calibrated = await MDETR.fromPretrained(folder, { cacheDir });
    expect(calibrated.calibration?.threshold).toBe(0.999999);
    const boxed = async (threshold?: number): Promise<number> =>
      (await evaluateScenes(calibrated, { ...options, threshold })).results[0]!.metrics['mentioned objects boxed']!;
    expect(await boxed()).toBeLessThan(0.2);
    expect(await boxed(0.7)).toBeGreaterThan(0.6);
  });

  it('keeps the worst cases, worst first, with images', async () => {
    // Wordings that the model was not trained on, so that there are wrong predictions.
    const { worst } = await evaluateScenes(model, { ...options, split: 'paraphrase', images: 8 });
    expect(worst).toHaveLength(3);
    expect(worst.map(({ quality }) => quality)).toEqual([...worst.map(({ quality }) => quality)].sort((a, b) => a - b));
    const page = await worstCasesPage('a <b>', worst);
    expect(page).toContain('a &#60;b&#62;');
    expect(page.match(/data:image\/png;base64,/g)).toHaveLength(3);
  });
});

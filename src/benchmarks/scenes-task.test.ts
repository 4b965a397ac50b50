import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { MDETR } from '../inference/node/mdetr.ts';
import { evaluateScenes } from './scenes-task.ts';
import { worstCasesPage } from './worst-cases-page.ts';

const cacheDir = mkdtempSync(join(tmpdir(), 'mdetr-tasks-'));
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

  it('measures every kind of text, the same numbers every time', async () => {
    const first = await evaluateScenes(model, options);
    const again = await evaluateScenes(model, options);
    expect(again.results).toEqual(first.results);
    const [numbers, items] = first.results;
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
      expect(numbers!.metrics[name], name).toBeGreaterThanOrEqual(0);
      expect(numbers!.metrics[name], name).toBeLessThanOrEqual(1);
    }
    // Far below what the default model reaches over many scenes: a model or a measure that is broken shows.
    for (const name of ['phrase Recall@1', 'referring precision@1', 'mask mean IoU', 'mentioned objects boxed'])
      expect(numbers!.metrics[name], name).toBeGreaterThan(0.6);
    expect(items!.metrics['referring precision@1']).toBe(8);
    expect(items!.metrics['question accuracy']).toBe(8);
  });

  it('keeps the worst cases, worst first, with pictures', async () => {
    // Wordings that the model never saw, so that there are cases.
    const { worst } = await evaluateScenes(model, { ...options, split: 'paraphrase', images: 8 });
    expect(worst).toHaveLength(3);
    expect(worst.map(({ quality }) => quality)).toEqual([...worst.map(({ quality }) => quality)].sort((a, b) => a - b));
    const page = await worstCasesPage('a <b>', worst);
    expect(page).toContain('a &#60;b&#62;');
    expect(page.match(/data:image\/png;base64,/g)).toHaveLength(3);
  });
});

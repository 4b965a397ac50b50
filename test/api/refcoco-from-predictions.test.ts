import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, it } from 'vitest';

const script = fileURLToPath(new URL('refcoco-from-predictions.mjs', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'mdetr-refcoco-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

it('a script of at most 30 lines computes RefCOCO precision@1 from saved predictions', () => {
  expect(readFileSync(script, 'utf8').trim().split('\n').length).toBeLessThanOrEqual(30);
  const annotations = join(folder, 'annotations.json');
  const predictions = join(folder, 'predictions.jsonl');
  const images = [1, 2, 3, 4].map((id) => ({ id, dataset_name: 'refcoco' }));
  writeFileSync(
    annotations,
    JSON.stringify({ images, annotations: images.map(({ id }) => ({ image_id: id, bbox: [0, 0, 10, 10] })) }),
  );
  const lines = [
    { mdetr_predictions: 'refexp' },
    ...images.map(({ id }) => ({
      image_id: id,
      scores: [0.9, 0.8],
      // The best box is wrong in image 4 only.
      boxes: [id === 4 ? [50, 50, 60, 60] : [0, 0, 10, 9], [0, 0, 10, 10]], // prettier-ignore
    })),
  ];
  writeFileSync(predictions, lines.map((line) => JSON.stringify(line)).join('\n'));
  const output = execFileSync(process.execPath, [script, annotations, predictions], { encoding: 'utf8' });
  expect(output).toBe('0.75\n');
});

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PredictionWriter, readPredictions, type RefexpPrediction } from './predictions.ts';

let dir = '';
beforeAll(() => (dir = mkdtempSync(join(tmpdir(), 'mdetr-predictions-'))));
afterAll(() => rmSync(dir, { recursive: true }));

const collect = async <T>(items: AsyncIterable<T>): Promise<T[]> => {
  const list: T[] = [];
  for await (const item of items) list.push(item);
  return list;
};
const file = (name: string, ...lines: string[]): string => {
  const path = join(dir, name);
  writeFileSync(path, lines.join('\n'));
  return path;
};

describe('saved predictions', () => {
  it('come back as they were', async () => {
    const path = join(dir, 'refexp.jsonl');
    const predictions: RefexpPrediction[] = Array.from({ length: 2000 }, (_, i) => ({
      image_id: i,
      scores: [Math.fround(Math.random()), 1e-9],
      boxes: [[0.1, 0.2, 1 / 3, 4], [i, i, i + 1, i + 1]], // prettier-ignore
    }));
    const writer = await PredictionWriter.create(path, 'refexp');
    for (const prediction of predictions) await writer.write(prediction);
    await writer.close();
    expect(await collect(readPredictions(path, 'refexp'))).toEqual(predictions);
  });

  it('name the file, line and field that are wrong', async () => {
    const head = '{"mdetr_predictions":"gqa"}';
    const read = (path: string) => collect(readPredictions(path, 'gqa'));
    await expect(read(file('a', head, '{"questionId":"1","prediction":2}'))).rejects.toThrow('a, line 2: "prediction"');
    await expect(read(file('b', head, '{"questionId":"1","predi'))).rejects.toThrow('b, line 2 is not JSON');
    await expect(read(file('c', '{"mdetr_predictions":"clevr"}'))).rejects.toThrow(
      'c holds predictions for clevr, not for gqa',
    );
    await expect(read(file('d', '[]'))).rejects.toThrow('does not begin with {"mdetr_predictions":"gqa"}');
    await expect(read(file('e'))).rejects.toThrow('e is empty');
    await expect(read(join(dir, 'missing'))).rejects.toThrow(/Cannot read predictions from .*missing/);
    expect(await read(file('f', head, '', '{"questionId":1,"prediction":"x"}', ''))).toHaveLength(1);
  });

  it('report that they cannot be written', async () => {
    const path = join(dir, 'no', 'folder');
    await expect(PredictionWriter.create(path, 'gqa')).rejects.toThrow(/Cannot write the predictions to .*folder/);
  });
});

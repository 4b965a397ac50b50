import { readFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PREDICTION_FORMATS, type RefexpPrediction } from '../metrics/predictions.ts';
import { PredictionWriter, readPredictions } from './prediction-file.ts';

const { gqa, refexp } = PREDICTION_FORMATS;

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
  it('are read as they were written', async () => {
    const path = join(dir, 'refexp.jsonl');
    const predictions: RefexpPrediction[] = Array.from({ length: 2000 }, (_, i) => ({
      image_id: i,
      scores: [Math.fround(Math.random()), 1e-9],
      boxes: [[0.1, 0.2, 1 / 3, 4], [i, i, i + 1, i + 1]], // prettier-ignore
    }));
    const writer = await PredictionWriter.create(path, refexp);
    for (const prediction of predictions) await writer.write(prediction);
    await writer.close();
    expect(await collect(readPredictions(path, refexp))).toEqual(predictions);
  });

  it('name the wrong file, line and field', async () => {
    const head = '{"mdetr_predictions":"gqa"}';
    const read = (path: string) => collect(readPredictions(path, gqa));
    await expect(read(file('a', head, '{"questionId":"1","prediction":2}'))).rejects.toThrow('a, line 2: "prediction"');
    await expect(read(file('b', head, '{"questionId":"1","predi'))).rejects.toThrow('b, line 2 is not JSON');
    await expect(read(file('c', '{"mdetr_predictions":"clevr"}'))).rejects.toThrow(
      'c holds predictions for clevr, not for gqa',
    );
    await expect(read(file('d', '[]'))).rejects.toThrow('does not begin with {"mdetr_predictions":"gqa"}');
    await expect(read(file('e'))).rejects.toThrow('e is empty');
    await expect(read(join(dir, 'missing'))).rejects.toThrow(
      /missing: cannot be read \(there is no such file or folder\)/,
    );
    expect(await read(file('f', head, '', '{"questionId":1,"prediction":"x"}', ''))).toHaveLength(1);
  });

  it('are resumed after the last complete line, however the file ends', async () => {
    const saved = '{"questionId":1,"prediction":"yes"}';
    const resume = async (path: string): Promise<unknown[]> => {
      const seen: unknown[] = [];
      const writer = await PredictionWriter.resume(path, gqa, (prediction) => seen.push(prediction.questionId));
      await writer.write({ questionId: 2, prediction: 'no' });
      await writer.close();
      return seen;
    };
    const ids = async (path: string): Promise<unknown[]> =>
      (await collect(readPredictions(path, gqa))).map(({ questionId }) => questionId);
    const head = '{"mdetr_predictions":"gqa"}';
    const long = `{"questionId":9,"prediction":"${'x'.repeat(200_000)}`;
    for (const [name, lines, expected] of [
      ['complete', [head, saved, ''], [1]],
      ['truncated', [head, saved, '{"questionId":2,"pre'], [1]],
      ['truncated long', [head, saved, long], [1]],
      ['header', [head, ''], []],
      ['truncated header', ['{"mdetr_pre'], []],
      ['empty', [], []],
    ] as const) {
      const path = file(name, ...lines);
      expect(await resume(path), name).toEqual(expected);
      expect(await ids(path), name).toEqual([...expected, 2]);
    }
    expect(await resume(join(dir, 'new'))).toEqual([]);
    const foreign = file('foreign', '{"mdetr_predictions":"clevr"}', saved, '');
    await expect(resume(foreign)).rejects.toThrow('holds predictions for clevr, not for gqa');
    await expect(resume(file('damaged', head, 'x', saved, ''))).rejects.toThrow('line 2 is not JSON');
  });

  it('report a file that cannot be written', async () => {
    await expect(PredictionWriter.create(dir, gqa)).rejects.toThrow(/Cannot write the predictions to .*folder/);
    await (await PredictionWriter.create(join(dir, 'made', 'folder.jsonl'), gqa)).close();
    expect(readFileSync(join(dir, 'made', 'folder.jsonl'), 'utf8')).toContain('gqa');
  });
});

import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { readRunCurves, smoothed, thinned } from './run-curves.ts';

const root = mkdtempSync(join(tmpdir(), 'mdetr-curves-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

const entry = (step: number, loss: number): string =>
  JSON.stringify({
    kind: 'train',
    step,
    epoch: 0,
    pairs: step * 8,
    loss,
    terms: { loss_ce: loss / 2, loss_ce_0: loss },
    lr: 1e-4,
    lr_backbone: 1e-5,
    text_encoder_lr: 5e-5,
    grad_norm: 3,
    images_per_s: 7,
    pairs_per_s: 7,
    time: {},
  });
const validation = (step: number, value: number | null): string =>
  JSON.stringify({ kind: 'validation', step, epoch: 1, metrics: { 'set/recall': value } });
const write = (folder: string, ...lines: string[]): string => {
  mkdirSync(join(root, folder), { recursive: true });
  writeFileSync(join(root, folder, 'log.jsonl'), lines.map((line) => `${line}\n`).join(''));
  return join(root, folder);
};

describe('the log of a run as curves', () => {
  it('has losses, terms, rates and validations over the steps', async () => {
    const skipped = JSON.stringify({ kind: 'skipped_row', step: 1, row: 3, reason: 'no image' });
    const folder = write('one', entry(1, 8), skipped, entry(2, 4), validation(2, 0.5), validation(3, null));
    const { name, steps, curves, stages } = await readRunCurves(folder);
    expect({ name, steps }).toEqual({ name: 'one', steps: 3 });
    expect(stages).toEqual([{ name: '', firstStep: 0 }]);
    expect(curves.get('loss')).toEqual({ name: 'loss', kind: 'loss', points: [[1, 8], [2, 4]] }); // prettier-ignore
    expect(curves.get('loss_ce')?.points).toEqual([[1, 4], [2, 2]]); // prettier-ignore
    expect(curves.get('lr_backbone')?.kind).toBe('rate');
    expect(curves.get('set/recall')).toEqual({ name: 'set/recall', kind: 'validation', points: [[2, 0.5]] });
    const byPairs = await readRunCurves(folder, 'pairs');
    expect(byPairs.curves.get('loss')?.points).toEqual([[8, 8], [16, 4]]); // prettier-ignore
    expect(byPairs.curves.get('set/recall')?.points).toEqual([[16, 0.5]]);
  });

  it('has identifiers of metrics in place of the titles of older logs', async () => {
    const line = { kind: 'validation', step: 1, epoch: 1, metrics: { 'val/bbox_AP50': 0.5 } };
    const { curves } = await readRunCurves(write('older', entry(1, 8), JSON.stringify(line)));
    expect(curves.get('val/box_ap_50')?.points).toEqual([[1, 0.5]]);
  });

  it('joins stages in their order, as the run says or by their time', async () => {
    const first = write('staged/zebra', entry(1, 8), entry(4, 6));
    write('staged/alpha', entry(2, 3));
    utimesSync(join(first, 'log.jsonl'), 1, 1);
    const expected = [{ name: 'zebra', firstStep: 0 }, { name: 'alpha', firstStep: 4 }]; // prettier-ignore
    const byTime = await readRunCurves(join(root, 'staged'));
    expect(byTime.stages).toEqual(expected);
    expect(byTime.curves.get('loss')?.points).toEqual([[1, 8], [4, 6], [6, 3]]); // prettier-ignore
    writeFileSync(join(root, 'staged/stages.json'), '["alpha", "zebra", "later"]');
    expect((await readRunCurves(join(root, 'staged'))).stages.map(({ name }) => name)).toEqual(['alpha', 'zebra']);
    writeFileSync(join(root, 'staged/stages.json'), '["../elsewhere"]');
    await expect(readRunCurves(join(root, 'staged'))).rejects.toThrow(/stages\.json: is not a list of training stages/);
  });

  it('ignores an incomplete last line, and reports one in the middle', async () => {
    const going = write('going', entry(1, 8));
    writeFileSync(join(going, 'log.jsonl'), `${entry(1, 8)}\n{"kind":"tra`);
    expect((await readRunCurves(going)).steps).toBe(1);
    for (const bad of ['{"kind":"tra', '{"kind":"train","step":"one"}', '[]', '{"kind":"other"}'])
      await expect(readRunCurves(write('bad', entry(1, 8), bad, entry(2, 8)))).rejects.toThrow(
        /log\.jsonl: line 2 is not an entry of a training log/,
      );
  });

  it('is looked for where it can be', async () => {
    mkdirSync(join(root, 'empty'));
    writeFileSync(join(root, 'file'), '');
    await expect(readRunCurves(join(root, 'nowhere'))).rejects.toThrow(/nowhere: there is no such folder/);
    await expect(readRunCurves(join(root, 'file'))).rejects.toThrow(/file: is a file; name the folder of a run/);
    await expect(readRunCurves(join(root, 'empty'))).rejects.toThrow(/empty: holds no log\.jsonl/);
  });
});

describe('points', () => {
  it('are smoothed without a bias at the start', () => {
    expect(smoothed([[1, 4], [2, 4], [3, 4]], 0.9).map(([, y]) => y)).toEqual([4, 4, 4].map((y) => expect.closeTo(y, 10) as number)); // prettier-ignore
    expect(smoothed([[1, 0], [2, 3]], 0.5)[1]![1]).toBeCloseTo(2, 10); // prettier-ignore
  });

  it('are thinned to means of neighbors', () => {
    const points = Array.from({ length: 10 }, (_, index) => [index, index * 2] as const);
    expect(thinned(points, 5)).toEqual([[0.5, 1], [2.5, 5], [4.5, 9], [6.5, 13], [8.5, 17]]); // prettier-ignore
    expect(thinned(points, 10)).toBe(points);
  });
});

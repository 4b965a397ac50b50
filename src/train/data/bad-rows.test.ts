import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { smallConfig, smallDataset, type SmallDataset } from '../../../test/support/small-run.ts';
import { BatchMaker, type MadeBatch } from './batch-maker.ts';

const folder = mkdtempSync(join(tmpdir(), 'mdetr-bad-rows-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

let datasets = 0;
const fresh = (count = 4): Promise<SmallDataset> => smallDataset(join(folder, `set-${datasets++}`), count);

/** Makes a batch of all rows. */
const load = async (dataset: SmallDataset, onBadRow: 'stop' | 'skip', more = {}): Promise<MadeBatch> => {
  const config = smallConfig({ datasets: [], on_bad_row: onBadRow, ...more });
  const maker = await BatchMaker.open({
    config,
    datasets: [{ annotations: dataset.file, images: dataset.images }],
    tokenizer: 'configs/scenes/plain-words',
    maxTokens: 38,
  });
  try {
    const rows = [...dataset.annotations.images.keys()];
    return await maker.make({ rows, key: { seed: 1, epoch: 0, pairsBefore: 0 } });
  } finally {
    maker.close();
  }
};

/** Ways to break the second row, and the field that the error names. */
const spoiled: readonly [what: string, spoil: (dataset: SmallDataset) => void, field: RegExp][] = [
  ['an image that is missing', ({ annotations }) => (annotations.images[1]!.file_name = 'nowhere.png'), /file_name: .*nowhere\.png: cannot be read \(there is no such file/],
  ['an image that is broken', ({ images }) => writeFileSync(join(images, 'image-1.png'), Buffer.from('89504e470d0a1a0a', 'hex')), /file_name: .*image-1\.png/],
  ['an image outside of its folder', ({ annotations }) => (annotations.images[1]!.file_name = '../../secret.png'), /file_name is outside/],
  ['a span outside of the caption', ({ annotations }) => (boxOf(annotations)['tokens_positive'] = [[0, 999]]), /annotations\[0\]\.tokens_positive\[0\] \[0, 999\] ends outside the caption/],
  ['a span that ends where it cannot', ({ annotations }) => (boxOf(annotations)['tokens_positive'] = [[0, 0]]), /annotations\[0\]\.tokens_positive\[0\] \[0, 0\] refers to no character/],
  ['an empty caption', ({ annotations }) => (annotations.images[1]!['caption'] = ' '), /caption is empty/],
  ['a caption beyond the token limit', ({ annotations }) => (annotations.images[1]!['caption'] = 'a red cube and '.repeat(20)), /caption: /],
  ['a box of three numbers', ({ annotations }) => (boxOf(annotations)['bbox'] = [1, 2, 3]), /annotations\[0\]\.bbox is \[1,2,3\]/],
]; // prettier-ignore

const boxOf = ({ annotations }: SmallDataset['annotations']): Record<string, unknown> =>
  annotations.find(({ image_id }) => image_id === 2)!;

describe('rows that cannot be used', () => {
  it('are none in a good file', async () => {
    const dataset = await fresh();
    const { batch, skipped } = await load(dataset, 'stop');
    expect(skipped).toEqual([]);
    expect(batch.ids).toHaveLength(4);
    expect(batch.ids[1]).toContain('row 1 (image id 2)');
  });

  it.each(spoiled)('%s: stops with file, row and field', async (_, spoil, field) => {
    const dataset = await fresh();
    spoil(dataset);
    dataset.write();
    const error = await load(dataset, 'stop').then(
      () => undefined,
      (thrown: unknown) => thrown as Error,
    );
    expect(error?.name).toBe('MdetrError');
    expect(error!.message).toContain(`${dataset.file}: row 1 (image id 2)`);
    expect(error!.message).toMatch(field);
  });

  it.each(spoiled)('%s: is skipped and counted, the next row replaces it', async (_, spoil, field) => {
    const dataset = await fresh();
    spoil(dataset);
    dataset.write();
    const { batch, skipped } = await load(dataset, 'skip');
    expect(skipped).toHaveLength(1);
    expect(skipped[0]!.row).toBe(1);
    expect(skipped[0]!.reason).toMatch(field);
    expect(batch.ids).toHaveLength(4);
    expect(batch.ids[1]).toContain('row 2 (image id 3)');
  });

  it.each(['NaN', 'Infinity', '1e999', 'null'])('a box with %s as Python writes it', async (number) => {
    const dataset = await fresh();
    boxOf(dataset.annotations)['bbox'] = ['HERE', 2, 3, 4];
    dataset.write(JSON.stringify(dataset.annotations).replace('"HERE"', number));
    await expect(load(dataset, 'stop')).rejects.toThrow(
      /row 1 \(image id 2\): annotations\[0\]\.bbox\[0\] is .*not a finite number/,
    );
    expect((await load(dataset, 'skip')).skipped).toHaveLength(1);
  });

  it('a row that is not JSON', async () => {
    const dataset = await fresh();
    const message = /row \d+ \(byte \d+\) is not JSON/;
    dataset.write(
      JSON.stringify(dataset.annotations).replace(
        '"width":96,"height":64,"original_id":1',
        '"width":96,"height":64,,"original_id":1',
      ),
    );
    await expect(load(dataset, 'stop')).rejects.toThrow(message);
    const { skipped } = await load(dataset, 'skip');
    expect(skipped.map(({ row }) => row)).toEqual([1]);
    expect(skipped[0]!.reason).toContain(dataset.file);
  });

  it('boxes without area are dropped from their row, with their spans', async () => {
    const dataset = await fresh();
    const before = await load(dataset, 'stop');
    const box = boxOf(dataset.annotations);
    box['bbox'] = [10, 10, 0, 5];
    dataset.write();
    const { batch, skipped } = await load(dataset, 'stop');
    expect(skipped).toEqual([]);
    expect(batch.targets.boxCounts[1]).toBe(before.batch.targets.boxCounts[1]! - 1);
    expect((batch.targets.inputs.target_boxes.data as Float32Array).every(Number.isFinite)).toBe(true);
  });

  it('a mask that is missing or broken where masks are trained', async () => {
    const dataset = await fresh();
    const more = { mask_model: 'smallconv', hidden_dim: 64, nheads: 8 };
    await expect(load(dataset, 'stop', more)).rejects.toThrow(
      /row 0 .*segmentation is missing, but masks are asked for/,
    );
    const masked = await smallDataset(join(folder, 'masks'), 4, { masks: true });
    const { target_masks: masks } = (await load(masked, 'stop', more)).batch.targets.inputs;
    expect((masks!.data as Uint8Array).includes(1)).toBe(true);
    boxOf(masked.annotations)['segmentation'] = { size: [32, 48], counts: [1, 2, 3] };
    masked.write();
    await expect(load(masked, 'stop', more)).rejects.toThrow(/row 1 \(image id 2\): annotations\[0\]\.segmentation/);
    expect((await load(masked, 'skip', more)).skipped).toHaveLength(1);
  });

  it('an answer that no head knows', async () => {
    const dataset = await smallDataset(join(folder, 'questions'), 4, { kind: 'question' });
    dataset.annotations.images[1]!['answer'] = 'perhaps';
    dataset.write();
    const more = { do_qa: true, split_qa_heads: true };
    await expect(load(dataset, 'stop', more)).rejects.toThrow(/row 1 \(image id 2\): answer: .*"perhaps"/);
    const { batch } = await load(dataset, 'skip', more);
    expect(batch.targets.inputs['answer_type']!.shape).toEqual([4]);
  });

  it('a number above the largest CLEVR answer', async () => {
    const dataset = await smallDataset(join(folder, 'numbers'), 4, { kind: 'question' });
    dataset.annotations.images[1]!['answer'] = '20';
    dataset.write();
    const more = { do_qa: true, split_qa_heads: true };
    await expect(load(dataset, 'stop', more)).rejects.toThrow(
      /row 1 \(image id 2\): answer: "20" is above 19, the largest/,
    );
  });

  it('a file without usable rows is an error even when bad rows are skipped', async () => {
    const dataset = await fresh();
    for (const image of dataset.annotations.images) image['caption'] = '';
    dataset.write();
    await expect(load(dataset, 'skip')).rejects.toThrow(
      /4 consecutive rows cannot be used; the last: .*caption is empty/,
    );
  });

  it('a file that is missing or not an annotation file is named at once', async () => {
    const dataset = await fresh();
    await expect(load({ ...dataset, file: join(folder, 'none.json') }, 'skip')).rejects.toThrow(
      /none\.json: no such annotation file/,
    );
    dataset.write('{"a": 1}');
    await expect(load(dataset, 'skip')).rejects.toThrow(/annotations\.json/);
  });
});

import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { smallConfig } from '../../../../test/support/small-run.ts';
import { temporaryFolder } from '../../../../test/support/run-preparation.ts';
import type { TrainConfig } from '../../config/config.ts';
import { completeRecordBytes, imagesEvent } from './event-file.ts';
import { writeMlflowRun } from './mlflow-run.ts';
import { writeProvenance } from './run-provenance.ts';
import { writeWandbRun } from './wandb-run.ts';

const runOf = async (): Promise<{ config: TrainConfig; folder: string; annotations: string }> => {
  const root = temporaryFolder();
  const [annotations, folder] = [join(root, 'train.json'), join(root, 'run')];
  writeFileSync(annotations, '{"images": [], "annotations": []}');
  mkdirSync(folder);
  const config = smallConfig({
    output_dir: folder,
    report_to: 'mlflow',
    run_name: 'my: run',
    seed: 7,
    datasets: [{ annotations, images: root }],
  });
  await writeProvenance(config);
  return { config, folder, annotations };
};

describe('run.json', () => {
  it('has versions, the processor, the seed, and digests of the data', async () => {
    const { folder, annotations } = await runOf();
    const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string };
    expect(JSON.parse(readFileSync(join(folder, 'run.json'), 'utf8'))).toMatchObject({
      package_version: version,
      node: process.version,
      cpu: expect.any(String),
      cpu_threads: expect.any(Number),
      seed: 7,
      device: 'cpu',
      data: [{ annotations, bytes: 33, sha256: createHash('sha256').update(readFileSync(annotations)).digest('hex') }],
      config: { run_name: 'my: run', batch_size: 2 },
    });
  });
});

const entry = (step: number, loss: number) =>
  `${JSON.stringify({ kind: 'train', step, loss, terms: { loss_ce: loss / 2 }, lr: 1e-3, grad_norm: 1, images_per_s: 9 })}\n`;
const validation = `${JSON.stringify({ kind: 'validation', step: 4, metrics: { 'val/box_ap_50': 0.5, 'odd@name': 1, none: null } })}\n`;

describe('an offline run of Weights & Biases', () => {
  /** Records of the file: parts of blocks, joined, with their checksums checked. */
  const recordsOf = (bytes: Buffer): string[] => {
    expect(bytes.subarray(0, 7).toString('latin1')).toBe(':W&B\xe1\xbe\0');
    const records: string[] = [];
    let begun = '';
    for (let at = 7; at < bytes.length;) {
      const left = 32_768 - (at % 32_768);
      if (left < 7) {
        at += left;
        continue;
      }
      const [length, type] = [bytes.readUInt16LE(at + 4), bytes[at + 6]!];
      const data = bytes.subarray(at + 7, at + 7 + length);
      expect(bytes.readUInt32LE(at)).toBe(crc32(Buffer.concat([Uint8Array.of(type), data])));
      begun = (type === 1 || type === 2 ? '' : begun) + data.toString('latin1');
      if (type === 1 || type === 4) records.push(begun);
      at += 7 + length;
    }
    return records;
  };

  it('has config, history and summary in checked blocks, and each step once, also after a resume', async () => {
    const { config, folder } = await runOf();
    const log = join(folder, 'log.jsonl');
    writeFileSync(log, entry(2, 4) + entry(4, 3) + validation);
    // A text longer than a block.
    const long = { ...config, output_dir: folder, run_name: 'x'.repeat(70_000) };
    await writeWandbRun(long, false);
    const [name] = readdirSync(join(folder, 'wandb'));
    expect(name).toMatch(/^offline-run-\d{8}_\d{6}-[0-9a-f]{8}$/);
    const read = (): string[] => recordsOf(readFileSync(join(folder, 'wandb', name!, `run-${name!.slice(-8)}.wandb`)));
    const records = read();
    expect(records).toHaveLength(6);
    expect(records[1]).toContain('x'.repeat(70_000));
    for (const text of ['batch_size', 'mdetr', '_wandb']) expect(records[1]).toContain(text);
    expect(records[2]).toContain('train/loss\x82\x01\x014');
    expect(records[4]).toContain('validation/val/box_ap_50\x82\x01\x030.5');

    writeFileSync(log, entry(2, 4) + entry(5, 2));
    await writeWandbRun(long, true);
    expect(readdirSync(join(folder, 'wandb'))).toEqual([name]);
    const after = read();
    expect(after).toHaveLength(7);
    expect(after.join('')).not.toContain('box_ap_50');
  });

  it('is named when it cannot be written', async () => {
    const { config, folder } = await runOf();
    writeFileSync(join(folder, 'log.jsonl'), '');
    writeFileSync(join(folder, 'wandb'), 'a file');
    await expect(writeWandbRun(config, true)).rejects.toThrow(/run.wandb.*(cannot|is not|is a)/);
  });
});

describe("a run in MLflow's file store", () => {
  it('has parameters, tags, and each step of a metric once, also after a resume', async () => {
    const { config, folder } = await runOf();
    const log = join(folder, 'log.jsonl');
    writeFileSync(log, entry(2, 4) + entry(4, 3) + validation + '{"kind":"tr');
    await writeMlflowRun(config, false);
    const experiment = join(folder, 'mlruns/1');
    const [runId] = readdirSync(experiment).filter((name) => name !== 'meta.yaml');
    const run = join(experiment, runId!);
    const text = (path: string): string => readFileSync(join(run, path), 'utf8');
    expect(parse(readFileSync(join(experiment, 'meta.yaml'), 'utf8'))).toMatchObject({ experiment_id: '1' });
    expect(parse(text('meta.yaml'))).toMatchObject({ run_id: runId, run_name: 'my: run', status: 1, end_time: null });
    expect(text('params/seed')).toBe('7');
    expect(text('tags/mlflow.runName')).toBe('my: run');
    expect(text('metrics/validation/val/box_ap_50')).toMatch(/^\d{13} 0\.5 4\n$/);
    expect(text('metrics/validation/odd_name')).toMatch(/^\d{13} 1 4\n$/);
    expect(readdirSync(join(run, 'metrics/validation'))).toEqual(['odd_name', 'val']);
    const losses = (): string[][] =>
      text('metrics/train/loss')
        .trim()
        .split('\n')
        .map((line) => line.split(' ').slice(1));
    expect(losses()).toEqual([['4', '2'], ['3', '4']]); // prettier-ignore

    // The run was resumed at step 2.
    writeFileSync(log, entry(2, 4) + entry(5, 2));
    await writeMlflowRun(config, true);
    expect(readdirSync(experiment)).toHaveLength(2);
    expect(losses()).toEqual([['4', '2'], ['2', '5']]); // prettier-ignore
    expect(parse(text('meta.yaml'))).toMatchObject({ status: 3, end_time: expect.any(Number) });
    expect(readdirSync(join(run, 'metrics'))).not.toContain('validation');
  });

  it('is named when it cannot be written', async () => {
    const { config, folder } = await runOf();
    writeFileSync(join(folder, 'log.jsonl'), '');
    writeFileSync(join(folder, 'mlruns'), 'a file');
    await expect(writeMlflowRun(config, true)).rejects.toThrow(/mlruns: cannot be written/);
  });
});

it('images for TensorBoard are complete records', () => {
  const event = imagesEvent(1, 3, [
    { tag: 'val/1 a.png', width: 4, height: 2, bytes: Uint8Array.of(0xff, 0xd8, 0xff) },
  ]);
  expect(completeRecordBytes(event)).toBe(event.length);
  expect(Buffer.from(event).includes('val/1 a.png')).toBe(true);
});

/**
 * Indexing and random access at official scale: a generated annotation file of 1.5 GB with 1.3 million rows.
 *
 *     npx tsx bench/annotation-index.ts [ROWS] [--keep FILE] [--shuffled]
 *
 * Each measurement runs in a separate process, so that peak memory (`maxRSS`) is measured separately.
 * On a busy machine compare `cpuSeconds`, the processor time, instead of `seconds`.
 */
import { spawnSync } from 'node:child_process';
import { closeSync, existsSync, mkdtempSync, openSync, readSync, rmSync, statSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { fileURLToPath } from 'node:url';
import { BatchSampler } from '../src/data/sampling/batch-sampler.ts';
import { AnnotationIndex } from '../src/data/annotation-index/annotation-index.ts';
import { RowReader } from '../src/data/annotation-index/row-reader.ts';
import { Random } from '../src/random/random.ts';
import { MixedDataset } from '../src/data/sampling/mixed-dataset.ts';

const WORDS = 'a man in red coat and his dog near the wooden table under blue sky with two white cups of coffee'.split(
  ' ',
);

/** Writes a file in the format of the official mixed annotations, with the whitespace of Python's `json.dump`. */
const generate = (path: string, rows: number, shuffled: boolean): void => {
  const fd = openSync(path, 'w');
  const random = Random.of(1);
  let pending = '{"info": [], "licenses": [], "images": [';
  const put = (text: string): void => {
    pending += text;
    if (pending.length > 1 << 20) {
      writeSync(fd, pending);
      pending = '';
    }
  };
  const stride = 611_953; // prime, so that i * stride mod rows visits every row
  const idOf = (i: number): number => (shuffled ? (i * stride) % rows : i);
  for (let i = 0; i < rows; i++) {
    let caption = '';
    while (caption.length < 130 + 90 * random.uniform()) caption += `${random.pick(WORDS)} `;
    put(
      `${i === 0 ? '' : ', '}{"file_name": "COCO_train2014_${String(i % 123_287).padStart(12, '0')}.jpg", "height": 480, "width": ${320 + random.below(400)}, "id": ${idOf(i)}, "original_id": "${i % 123_287}", "caption": "${caption.trim()}.", "tokens_negative": [[0, 11], [24, 31], [45, 60]], "data_source": "coco", "dataset_name": "mixed"}`,
    );
  }
  put('], "annotations": [');
  let annotation = 0;
  for (let i = 0; i < rows; i++) {
    const count = 3 + random.below(4);
    for (let k = 0; k < count; k++) {
      const [x, y, w, h] = [
        random.uniform() * 200,
        random.uniform() * 200,
        1 + random.uniform() * 119,
        1 + random.uniform() * 119,
      ];
      put(
        `${annotation === 0 ? '' : ', '}{"area": ${w * h}, "iscrowd": 0, "image_id": ${idOf(i)}, "category_id": 1, "id": ${annotation++}, "bbox": [${x.toFixed(2)}, ${y.toFixed(2)}, ${w.toFixed(2)}, ${h.toFixed(2)}], "tokens_positive": [[${k * 20}, ${k * 20 + 8}], [${k * 20 + 10}, ${k * 20 + 14}]]}`,
      );
    }
  }
  put('], "categories": []}\n');
  writeSync(fd, pending);
  closeSync(fd);
};

/** Baseline: reads the file in the same chunks and compares every byte once. */
const plainScan = (path: string): number => {
  const fd = openSync(path, 'r');
  const chunk = new Uint8Array(8 * 1024 * 1024);
  let quotes = 0;
  for (let count; (count = readSync(fd, chunk, 0, chunk.length, null)) > 0;)
    for (let i = 0; i < count; i++) if (chunk[i] === 0x22) quotes++;
  closeSync(fd);
  return quotes;
};

const measured = (label: string, work: () => Record<string, unknown>): void => {
  const start = performance.now();
  const cpu = process.cpuUsage();
  const result = work();
  const seconds = (performance.now() - start) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  const cpuSeconds = Number(((user + system) / 1e6).toFixed(3));
  const peakMb = Math.round(process.resourceUsage().maxRSS / 1024);
  process.stdout.write(
    `${JSON.stringify({ label, seconds: Number(seconds.toFixed(3)), cpuSeconds, peakMb, ...result })}\n`,
  );
};

const phases: Record<string, (path: string) => void> = {
  scan: (path) =>
    measured('read and compare every byte', () => ({ megabytes: statSync(path).size / 1e6, quotes: plainScan(path) })),
  index: (path) =>
    measured('build the index', () => {
      const index = AnnotationIndex.open(path, { rebuild: true });
      const found = { rows: index.length, annotations: index.annotationCount };
      const indexMegabytes = statSync(index.indexFile).size / 1e6;
      index.close();
      return { megabytes: statSync(path).size / 1e6, indexMegabytes, ...found };
    }),
  first: (path) =>
    measured('open, shuffle an epoch, read the first batch of 32 rows', () => {
      const index = AnnotationIndex.open(path);
      const dataset = new MixedDataset([{ name: 'mixed', source: index }]);
      const sampler = new BatchSampler(dataset, { batchSize: 32, seed: 1, shuffle: true, dropLast: true });
      const reader = new RowReader(index);
      for (const row of sampler.batch({ epoch: 0, batch: 0 })) reader.read(row);
      return {};
    }),
  random: (path) =>
    measured('read and check random rows', () => {
      const index = AnnotationIndex.open(path);
      const reader = new RowReader(index);
      const random = Random.of(2);
      const count = 200_000;
      const start = performance.now();
      let boxes = 0;
      for (let i = 0; i < count; i++) boxes += reader.read(random.below(index.length))!.annotations.length;
      return { rowsPerSecond: Math.round(count / ((performance.now() - start) / 1000)), boxes };
    }),
};

const [first, ...rest] = process.argv.slice(2);
const phase = first === undefined ? undefined : phases[first];
if (phase !== undefined) phase(rest[0]!);
else {
  const rows = first === undefined || first.startsWith('--') ? 1_300_000 : Number(first);
  const keep = process.argv.indexOf('--keep');
  const folder = mkdtempSync(join(tmpdir(), 'mdetr-bench-'));
  const path = keep > 0 ? process.argv[keep + 1]! : join(folder, 'annotations.json');
  try {
    if (!existsSync(path)) generate(path, rows, process.argv.includes('--shuffled'));
    for (const name of ['scan', 'index', 'scan', 'index', 'first', 'random'])
      spawnSync(process.execPath, [...process.execArgv, fileURLToPath(import.meta.url), name, path], {
        stdio: 'inherit',
      });
  } finally {
    rmSync(folder, { recursive: true });
  }
}

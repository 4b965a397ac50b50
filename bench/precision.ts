/**
 * Bytes and results of the precisions float16 and int8 against float32:
 *
 *     npm run bench:precision [-- --model NAME --images 200 --scenes 200]
 *     npm run bench:precision -- --official      bytes at official size (ResNet-101, RoBERTa-base), synthetic weights
 *
 * For procedural scenes: the mean IoU of the boxes of each detection's query, the fraction of detections with the same
 * spans, and the metrics of the scenes benchmark. Prints one JSON object per precision.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync, mkdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { exportModel } from '../src/export/node/export-model.ts';
import { iouXyxy } from '../src/geometry/box-overlap.ts';
import { MDETR } from '../src/inference/node/mdetr.ts';
import { PRECISIONS, type Precision } from '../src/model-folder/export-manifest.ts';
import { Random } from '../src/random/random.ts';
import type { DetectionResult } from '../src/results/types.ts';
import { generateScene, makeTexts } from '../src/scenes/index.ts';

const { values } = parseArgs({
  options: {
    model: { type: 'string', default: 'default' },
    images: { type: 'string', default: '200' },
    scenes: { type: 'string', default: '200' },
    official: { type: 'boolean', default: false },
  },
});

/** Arguments of the published network, with weights from a seed. */
const officialFolder = (folder: string): string => {
  const path = join(folder, 'official');
  mkdirSync(path);
  writeFileSync(
    join(path, 'config.json'),
    JSON.stringify({
      backbone: 'resnet101',
      text_encoder_type: 'roberta-base',
      contrastive_align_loss: true,
      init_seed: 1,
    }),
  );
  return path;
};

/** Detections of every scene, all queries included. */
const resultsOf = async (model: string, count: number): Promise<DetectionResult[]> => {
  const loaded = await MDETR.fromPretrained(model, { threads: 1 });
  const results: DetectionResult[] = [];
  for (let index = 0; index < count; index++) {
    const scene = generateScene(1, index, { width: 480, height: 320 });
    const [caption] = makeTexts(scene, 'caption', Random.of(1, index, 'caption'));
    if (caption !== undefined) results.push(await loaded.detect(scene.image, caption.text, { threshold: 0 }));
  }
  await loaded.dispose();
  return results;
};

/** Mean IoU and fraction of equal spans over the detections of float32 above the usual threshold. */
const agreement = (ours: readonly DetectionResult[], exact: readonly DetectionResult[]) => {
  let [count, iou, sameSpans] = [0, 0, 0];
  exact.forEach(({ detections }, index) => {
    for (const { query, box, score, spans } of detections) {
      if (score < THRESHOLD) continue;
      const found = ours[index]!.detections.find((one) => one.query === query)!;
      count++;
      iou += iouXyxy(box, 0, found.box, 0);
      const texts = (list: typeof spans): string => list.map(({ start, end }) => `${start}-${end}`).join();
      sameSpans += texts(found.spans) === texts(spans) ? 1 : 0;
    }
  });
  return { detections: count, mean_iou: iou / count, same_spans: sameSpans / count };
};

const THRESHOLD = 0.5;
/** Metrics of the scenes benchmark that are compared. */
const HEADLINES = [
  'phrase Recall@1',
  'phrase mean IoU',
  'referring precision@1',
  'mask mean IoU',
  'question accuracy',
  'box AP',
];

const scenesMetrics = (folder: string, model: string, dtype: Precision, count: string): unknown => {
  const out = join(folder, `${dtype}.json`);
  const args = ['evaluate', '--task', 'scenes', '--split', 'standard', '--count', count, '--model', model];
  const run = spawnSync('npx', ['tsx', 'src/cli/main.ts', ...args, '--threads', '1', '--json', out], {
    encoding: 'utf8',
  });
  if (run.status !== 0) throw new Error(run.stderr);
  const { results } = JSON.parse(readFileSync(out, 'utf8')) as { results: { metrics: Record<string, number> }[] };
  return Object.fromEntries(HEADLINES.map((name) => [name, results[0]!.metrics[name]]));
};

const folder = mkdtempSync(join(tmpdir(), 'mdetr-precision-'));
try {
  const model = values.official ? officialFolder(folder) : values.model;
  let exact: DetectionResult[] | undefined;
  let exactBytes = 0;
  for (const dtype of PRECISIONS) {
    const out = join(folder, dtype);
    const started = performance.now();
    const options = values.official ? { tokenizer: 'test/fixtures/reference/roberta' } : {};
    const { files } = await exportModel(model, out, { ...options, dtype });
    const bytes = Object.values(files).reduce((sum, file) => sum + file.bytes, 0);
    exactBytes ||= bytes;
    const sizes = { dtype, bytes, of_float32: bytes / exactBytes, export_s: (performance.now() - started) / 1000 };
    if (values.official) {
      console.log(JSON.stringify(sizes));
      rmSync(out, { recursive: true });
      continue;
    }
    const results = await resultsOf(out, Number(values.images));
    exact ??= results;
    const scenes = scenesMetrics(folder, out, dtype, values.scenes);
    console.log(JSON.stringify({ ...sizes, ...agreement(results, exact), scenes }));
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}

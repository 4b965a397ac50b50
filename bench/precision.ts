/**
 * Bytes and results of the precisions float16 and int8 against float32, int8 also with integers in the backbone, whose
 * ranges are measured on 64 other images:
 *
 *     npm run bench:precision [-- --model NAME --images 200 --scenes 200]
 *     npm run bench:precision -- --model photos --photos DIR     photographs instead of scenes, a caption of six nouns
 *     npm run bench:precision -- --official      bytes at official size (ResNet-101, RoBERTa-base), synthetic weights
 *     npm run bench:precision -- --checkpoint    a checkpoint of official size with moving average and optimizer, 3 GB, to
 *                                                a float16 folder: bytes, time and memory
 *
 * Detections of float32 are matched with those of a precision one to one, by the overlap of their boxes: where two queries
 * are selected with nearly equal scores, rounding swaps their indices and nothing else. Prints the mean IoU of matched
 * boxes, the fraction of them with the same spans, how many fall below the threshold or rise above it, and the metrics of the
 * scenes benchmark; one JSON object per precision. The threshold is 0.5 and, under `at_default`, the model's own.
 *
 * `--dtype …,noise` adds a control: float32 on photographs whose values differ by one gray level, up or down at random. What
 * such noise changes is decided by neither the image nor the weights.
 */
import { spawnSync } from 'node:child_process';
import { cp, readdir } from 'node:fs/promises';
import { mkdtempSync, readFileSync, rmSync, writeFileSync, mkdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import type { ImageSource } from '../src/data/images/image-source.ts';
import { decodeImage } from '../src/data/images/node/decode-image.ts';
import { MdetrError } from '../src/errors.ts';
import { exportModel } from '../src/export/node/export-model.ts';
import { iouXyxy } from '../src/geometry/box-overlap.ts';
import { MDETR } from '../src/inference/node/mdetr.ts';
import { quantizeModel } from '../src/inference/quantization/node/quantize-model.ts';
import { resolveModelPath } from '../src/model-folder/node/model-files.ts';
import type { Precision } from '../src/model-folder/precision.ts';
import { Random } from '../src/random/random.ts';
import type { DetectedObject, DetectionResult } from '../src/results/types.ts';
import { generateScene, makeTexts } from '../src/scenes/index.ts';
import { convertLargeCheckpoint } from './large-checkpoint.ts';

const { values } = parseArgs({
  options: {
    model: { type: 'string', default: 'default' },
    images: { type: 'string', default: '200' },
    scenes: { type: 'string', default: '200' },
    official: { type: 'boolean', default: false },
    checkpoint: { type: 'boolean', default: false },
    photos: { type: 'string' },
    dtype: { type: 'string', default: 'float32,float16,int8,integers' },
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

/** An image and a caption. */
interface Item {
  readonly image: ImageSource;
  readonly text: string;
}

/** Seed of the scenes that are compared, and of those on which ranges are measured. */
const SEEDS = { compared: 1, measured: 77, noise: 5 } as const;
const RANGE_IMAGES = 64;
const SIX_NOUNS = 'a person, a dog, a cat, a car, a chair and a bottle';

const sceneOf = (seed: number, index: number): ImageSource =>
  generateScene(seed, index, { width: 480, height: 320 }).image;

/** Images to compare, and other images for the ranges. */
const imagesOf = async (
  count: number,
): Promise<{ readonly items: readonly Item[]; readonly others: ImageSource[] }> => {
  if (values.photos !== undefined) {
    const files = (await readdir(values.photos, { recursive: true }))
      .filter((name) => /\.(jpe?g|png)$/i.test(name))
      .sort()
      .map((name) => join(values.photos!, name));
    const compared = files.slice(0, count);
    return {
      items: compared.map((image) => ({ image, text: SIX_NOUNS })),
      others: files.slice(count, count + RANGE_IMAGES),
    };
  }
  const items: Item[] = [];
  for (let index = 0; index < count; index++) {
    const scene = generateScene(SEEDS.compared, index, { width: 480, height: 320 });
    const [caption] = makeTexts(scene, 'caption', Random.of(SEEDS.compared, index, 'caption'));
    if (caption !== undefined) items.push({ image: scene.image, text: caption.text });
  }
  return { items, others: Array.from({ length: RANGE_IMAGES }, (_, index) => sceneOf(SEEDS.measured, index)) };
};

/** Detections of every image, all queries included, and the model's own threshold. */
const resultsOf = async (
  model: string,
  items: readonly Item[],
): Promise<{ readonly results: DetectionResult[]; readonly threshold: number }> => {
  const loaded = await MDETR.fromPretrained(model, { threads: 1 });
  const results: DetectionResult[] = [];
  for (const { image, text } of items) results.push(await loaded.detect(image, text, { threshold: 0 }));
  const threshold = loaded.calibration?.threshold ?? THRESHOLD;
  await loaded.dispose();
  return { results, threshold };
};

/** Images whose values differ by one gray level, up or down. */
const withNoise = (items: readonly Item[]): Promise<Item[]> =>
  Promise.all(
    items.map(async ({ image, text }, index) => {
      const random = Random.of(SEEDS.noise, index, 'noise');
      const { data, ...pixels } = await decodeImage(image);
      const noisy = data.map((value) => Math.max(0, Math.min(255, value + (random.uniform() < 0.5 ? -1 : 1))));
      return { image: { ...pixels, channels: 3, data: noisy }, text };
    }),
  );

/** Mean IoU and fraction of equal spans over the detections of float32 above a threshold. */
const agreement = (ours: readonly DetectionResult[], exact: readonly DetectionResult[], threshold: number) => {
  let [count, iou, sameSpans, lost, above] = [0, 0, 0, 0, 0];
  const different: unknown[] = [];
  exact.forEach(({ detections }, index) => {
    const wanted = detections.filter(({ score }) => score >= threshold);
    above += ours[index]!.detections.filter(({ score }) => score >= threshold).length;
    const pairs = wanted
      .flatMap((one) =>
        ours[index]!.detections.map((other) => ({ one, other, iou: iouXyxy(one.box, 0, other.box, 0) })),
      )
      .sort((a, b) => b.iou - a.iou);
    const taken = new Set<unknown>();
    count += wanted.length;
    for (const pair of pairs) {
      if (taken.has(pair.one) || taken.has(pair.other)) continue;
      taken.add(pair.one).add(pair.other);
      iou += pair.iou;
      if (pair.other.score < threshold) lost++;
      const texts = ({ spans }: DetectedObject): string => spans.map(({ start, end }) => `${start}-${end}`).join();
      if (texts(pair.one) === texts(pair.other)) sameSpans++;
      else
        different.push({
          image: index,
          iou: pair.iou,
          was: pair.one.label,
          is: pair.other.label,
          score: pair.one.score,
        });
    }
  });
  return {
    detections: count,
    mean_iou: iou / count,
    same_spans: sameSpans / count,
    lost,
    gained: above - count + lost,
    different,
  };
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
  const out = join(folder, 'scenes.json');
  const args = ['evaluate', '--task', 'scenes', '--split', 'standard', '--count', count, '--model', model];
  const run = spawnSync('npx', ['tsx', 'src/cli/main.ts', ...args, '--threads', '1', '--json', out], {
    encoding: 'utf8',
  });
  if (run.status !== 0) throw new Error(run.stderr);
  const { results } = JSON.parse(readFileSync(out, 'utf8')) as { results: { metrics: Record<string, number> }[] };
  return Object.fromEntries(HEADLINES.map((name) => [name, results[0]!.metrics[name]]));
};

/** Copies a model folder and measures its ranges. */
const withRanges = async (folder: string, model: string, images: readonly ImageSource[]): Promise<string> => {
  const copy = join(folder, 'with-ranges');
  await cp(await resolveModelPath(model), copy, { recursive: true });
  await quantizeModel(copy, images, { threads: 1 });
  return copy;
};

const folder = mkdtempSync(join(tmpdir(), 'mdetr-precision-'));
const variants: readonly (readonly [name: string, dtype: Precision, isInteger: boolean])[] = [
  ['float32', 'float32', false],
  ['float16', 'float16', false],
  ['int8', 'int8', false],
  ['integers', 'int8', true],
  ['noise', 'float32', false],
];
try {
  if (values.checkpoint) {
    console.log(JSON.stringify(convertLargeCheckpoint(folder)));
    process.exit(0);
  }
  const model = values.official ? officialFolder(folder) : values.model;
  const { items, others } = values.official ? { items: [], others: [] } : await imagesOf(Number(values.images));
  const wanted = values.dtype.split(',');
  let exact: DetectionResult[] | undefined;
  let exactBytes = 0;
  for (const [name, dtype, isInteger] of variants) {
    if (!wanted.includes(name) || (isInteger && values.official)) continue;
    const out = join(folder, name);
    let source = model;
    if (isInteger) {
      try {
        source = await withRanges(folder, model, others);
      } catch (error) {
        // The backbone always computes with floats: what holds for int8 holds for integers.
        if (!(error instanceof MdetrError && error.message.includes('needs no ranges'))) throw error;
        console.log(JSON.stringify({ dtype: name, same_as: 'int8', reason: error.message }));
        continue;
      }
    }
    const started = performance.now();
    const options = values.official ? { tokenizer: 'test/fixtures/reference/roberta' } : {};
    const { files } = await exportModel(source, out, { ...options, dtype });
    const bytes = Object.values(files).reduce((sum, file) => sum + file.bytes, 0);
    exactBytes ||= bytes;
    const sizes = {
      dtype: name,
      bytes,
      of_float32: bytes / exactBytes,
      export_s: (performance.now() - started) / 1000,
    };
    if (values.official) {
      console.log(JSON.stringify(sizes));
      rmSync(out, { recursive: true });
      continue;
    }
    const { results, threshold } = await resultsOf(out, name === 'noise' ? await withNoise(items) : items);
    exact ??= results;
    const scenes =
      values.photos === undefined && values.scenes !== '0' && name !== 'noise'
        ? scenesMetrics(folder, out, dtype, values.scenes)
        : undefined;
    const { different: _, ...atDefault } = agreement(results, exact, threshold);
    const compared = { ...agreement(results, exact, THRESHOLD), at_default: { threshold, ...atDefault } };
    console.log(JSON.stringify({ ...sizes, ...compared, scenes }));
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}

import { Command } from 'commander';
import type { MDETR } from '../../inference/node/mdetr.ts';
import { detectionLine } from '../../results/result-lines.ts';
import type { DetectionResult } from '../../results/types.ts';
import { UsageError } from '../../errors.ts';
import { batchesOf } from '../input/image-batches.ts';
import { ImageList } from '../input/image-list.ts';
import { completed, ImageReader, type DecodedImage } from '../input/image-reader.ts';
import { ReadAhead } from '../input/read-ahead.ts';
import { MAX_RUNNING, RunningBatches } from '../input/running-batches.ts';
import { parseShard, shardPath, type Shard } from '../options/shard-option.ts';
import { addFormatOptions, exportOptionsOf, type FormatOptions } from '../options/format-options.ts';
import { unlessAborted } from '../../threads/unless-aborted.ts';
import { interruptible } from '../options/stop-signals.ts';
import { ImageModels } from '../options/image-models.ts';
import { addModelOptions, type ModelOptions } from '../options/model-options.ts';
import { requireCaptions, collectCaptions, integerFrom } from '../options/option-values.ts';
import { needsWholeList, planOutputs } from '../output/image-outputs.ts';
import {
  addImageOptions,
  IMAGES_HELP,
  inferenceOptionsOf,
  wantsMasks,
  type ImageOptions,
} from '../options/image-options.ts';
import { note, noteOnce, print } from '../output/print.ts';
import { Progress } from '../output/progress.ts';
import { detectionText } from '../output/result-text.ts';
import { ResultsFile } from '../output/results-file.ts';
import { collectRarely } from '../start/frugal-start.ts';

interface DetectOptions extends ModelOptions, ImageOptions, FormatOptions {
  readonly caption?: readonly string[];
  readonly batchSize: number;
  readonly results?: string;
  readonly resume?: boolean;
  readonly shard?: Shard;
}

const EXAMPLES = `
The score of a box is 1 − P(no object). Its phrases are the words of the caption that it refers to, most probable first.

Examples
  mdetr detect street.jpg --caption "a man in a red coat and his dog" --out boxes.png
      a table of boxes, and the image with the boxes drawn
  mdetr detect street.jpg --caption "a dog" --caption "a bus" --json
      two captions, one JSON object each; the image is encoded once
  mdetr detect photos/ --recursive --caption "a dog" --out drawn/
      all images below a folder; broken ones are reported and counted; drawings are written to the folder drawn
  mdetr detect photos/ --caption "a dog" --caption "a cat" --results found.jsonl --resume
      results as a file; after an interruption the same command continues, each image exactly once
  mdetr detect photos/ --caption @classes.txt --format labelstudio --results tasks.json
      pre-annotations for a labeling tool, to be corrected and imported again with "mdetr data import"
  mdetr detect street.jpg --caption "the road" --masks-dir masks --out 'seen-{image}.jpg'
      masks as PNG files, and drawn on the image
  mdetr detect street.jpg --caption "the dog" --model pretrained_resnet101_checkpoint.pth --tokenizer roberta/
      an official checkpoint, with the folder of vocab.json and merges.txt

For several results, --out is a folder (DIR/) or a pattern with {image} (file name) and {text} (caption index, from 1).

${IMAGES_HELP}`;

/** Number of images after which freed memory is returned to the system: decoding on many threads scatters it. */
const TRIM_EVERY = 500;

/** Number of batches whose images are read and decoded before the network needs them. */
const BATCHES_AHEAD = 2;

/** An image with its results, one for each caption. */
interface ImageResults {
  readonly image: DecodedImage;
  readonly results: readonly DetectionResult[];
}

/** `mdetr detect`: detects the objects that captions mention. */
export const detectCommand = (): Command => {
  const command = new Command('detect')
    .description('Detect the objects that captions mention: every caption in every image.')
    .argument('<image...>', 'images: files, folders, patterns, - or @list.txt')
    .option('--caption <text>', 'caption (required), or @FILE with one in each line; may be repeated', collectCaptions)
    .option(
      '--batch-size <n>',
      'maximum number of images, and of captions, in one run of the network',
      integerFrom(1),
      4,
    )
    .option('--results <path>', 'write the results to this file, or folder for yolo, voc and labelme')
    .option('--resume', 'continue an interrupted call with the same --results')
    .option(
      '--shard <i/n>',
      'look at part I of N of the images, from 0, and write its own file; auto: as the scheduler says',
      (text: string) => parseShard(text),
    );
  addModelOptions(addImageOptions(addFormatOptions(command)), 'by image');
  return command
    .addHelpText('after', EXAMPLES)
    .action((images: string[], options: DetectOptions) => detect(images, options));
};

const detect = async (texts: readonly string[], options: DetectOptions): Promise<void> => {
  checkOptions(options);
  const captions = await requireCaptions('--caption', options.caption);
  const list = await ImageList.open(texts, { ...options, isRepeated: needsWholeList(options) });
  try {
    await detectIn(list, captions, options);
  } finally {
    await list.close();
  }
};

/** Control of the system's allocator. The module loads native code, which the start of a short call need not wait for. */
const allocator = () => import('../../engine/runtime/native/free-memory.ts');

const detectIn = async (list: ImageList, captions: readonly string[], options: DetectOptions): Promise<void> => {
  const outputs = await planOutputs(list, captions.length, options, [options.classes, options.annotations]);
  const file = await openResults(options, captions, outputs.rule);
  if (file !== undefined && file.resumed > 0)
    note(`resumed: ${file.resumed}${list.count === undefined ? '' : ` of ${list.count}`} images are done`);
  const reader = new ImageReader(options, list.isBulk || options.skipBroken === true);
  const batches = batchesOf(
    list,
    options.batchSize,
    (image) => outputs.drawingsOf(image),
    (image) => file?.wasDone(image) === true,
  );
  const readNext = async () => {
    const batch = await batches.next();
    return batch.done === true ? undefined : { count: batch.value.length, images: await reader.readAll(batch.value) };
  };
  const left = list.count === undefined ? undefined : list.count - (file?.resumed ?? 0);
  // Of a live list, results are written before the next image comes.
  const batchesAtOnce = left !== undefined && left > options.batchSize ? MAX_RUNNING : 1;
  const models = new ImageModels(options, {}, wantsMasks(options) ? 'masks' : 'boxes', batchesAtOnce, left);
  const warned = new Set<string>();
  const handle = async (image: DecodedImage, results: readonly DetectionResult[]): Promise<void> => {
    for (const [captionIndex, result] of results.entries()) {
      noteOnce(result.warnings, warned);
      await outputs.write(image, captionIndex, result);
      if (options.json === true) print(`${JSON.stringify(detectionLine(result))}\n`);
      else if (file === undefined) print(detectionText(result));
    }
    file?.add(results.map(detectionLine));
  };
  let progress: Progress | undefined;
  let total = 0;
  const takeResults = async (found: readonly ImageResults[], signal: AbortSignal): Promise<void> => {
    for (const { image, results } of found) {
      signal.throwIfAborted();
      await handle(image, results);
    }
  };
  const running = new RunningBatches(takeResults, batchesAtOnce);
  // Before the first image is decoded, which starts threads.
  if (left === undefined || left > TRIM_EVERY) {
    const { shareArenas, keepImagesApart } = await allocator();
    shareArenas(2);
    keepImagesApart();
    collectRarely();
  }
  const ahead = new ReadAhead(readNext, list.count === undefined ? 1 : BATCHES_AHEAD);
  try {
    // The first images are read before the model, which takes longer to load: a wrong path is reported at once.
    let next = list.count === undefined ? undefined : Promise.resolve(await ahead.next());
    progress = new Progress('images', left, { resultsComeLast: file !== undefined && options.json !== true });
    const detectAllImages = async (signal: AbortSignal): Promise<void> => {
      for (;;) {
        // Images of the next batches are decoded while the network runs.
        const batch = await unlessAborted(signal, () => next ?? ahead.next());
        next = undefined;
        if (batch === undefined) break;
        const groups = await models.groupsOf(batch.images);
        for (const { model, images: read } of groups) {
          const images = await reader.checkSizes(read, model);
          await running.add(images.length, () => detectAll(model, images, captions, options), signal);
        }
        if (Math.floor((total + batch.count) / TRIM_EVERY) > Math.floor(total / TRIM_EVERY))
          await (await allocator()).returnFreedMemory();
        total += batch.count;
        progress?.advance(batch.count);
      }
      await running.finish(signal);
      await file?.finish();
    };
    await interruptible(async (signal) => {
      try {
        await detectAllImages(signal);
      } catch (error) {
        if (signal.aborted && file !== undefined)
          note(`stopped: ${file.resumed + file.written} images are done; the same command with --resume continues`);
        throw error;
      }
    });
  } finally {
    progress?.stop();
    await running.settled();
    file?.close();
    outputs.close();
    await models.dispose();
  }
  const done = file?.skipped ?? 0;
  if (file !== undefined) note(`${options.results!}: ${done + file.written} images`);
  reader.finish(done + total);
};

/** @throws {UsageError} for options that need others */
const checkOptions = ({ results, format, resume, ...options }: DetectOptions): void => {
  if (results === undefined && resume === true)
    throw new UsageError('--resume continues the file of --results; without it, results go to standard output');
  if (results === undefined && options.shard !== undefined)
    throw new UsageError('--shard needs a file for its results: --results PATH');
  if (results === undefined && format !== undefined) throw new UsageError('--format needs a file: --results PATH');
  const { classes, annotations, imagePrefix, maskFormat } = options;
  const named = {
    '--classes': classes,
    '--annotations': annotations,
    '--image-prefix': imagePrefix,
    '--mask-format': maskFormat,
  };
  const isPlain = format === undefined || format === 'jsonl';
  for (const [option, value] of Object.entries(named))
    if (value !== undefined && isPlain) throw new UsageError(`${option} needs a format of annotations: --format NAME`);
};

const openResults = async (
  options: DetectOptions,
  captions: readonly string[],
  rule: Parameters<typeof ResultsFile.open>[1],
): Promise<ResultsFile | undefined> => {
  const { results, format = 'jsonl', resume = false, overwrite = false, model, shard } = options;
  if (results === undefined) return undefined;
  const path = shard === undefined ? results : shardPath(results, shard);
  const isPart = shard !== undefined;
  const settings = { ...exportOptionsOf(options), path, format, resume, overwrite, captions, model, isPart };
  return ResultsFile.open(settings, rule);
};

/** Results of every caption for every image, image by image. */
const detectAll = async (
  model: MDETR,
  images: readonly DecodedImage[],
  captions: readonly string[],
  options: DetectOptions,
): Promise<ImageResults[]> => {
  const items = images.flatMap(({ raw, name }) => captions.map((text) => ({ image: raw, text, name })));
  const { batchSize, maxPixels } = options;
  // The limit of reading holds for the pixels, too.
  const results = await model.detectBatch(items, { ...inferenceOptionsOf(options), batchSize, decode: { maxPixels } });
  return images.map((image, position) => ({
    image,
    results: results
      .slice(position * captions.length, (position + 1) * captions.length)
      .map((result) => completed(result, image)),
  }));
};

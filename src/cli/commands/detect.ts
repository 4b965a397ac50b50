import { Command } from 'commander';
import type { MDETR } from '../../inference/node/mdetr.ts';
import { detectionLine } from '../../results/result-lines.ts';
import type { DetectionResult } from '../../results/types.ts';
import { UsageError } from '../../errors.ts';
import { listImages, type ImageList, type ListedImage } from '../input/image-list.ts';
import { completed, ImageReader, type DecodedImage } from '../input/image-reader.ts';
import { parseShard, shardPath, type Shard } from '../options/shard-option.ts';
import { addFormatOptions, exportOptionsOf, type FormatOptions } from '../options/format-options.ts';
import { interruptible } from '../options/stop-signals.ts';
import { ImageModels } from '../options/image-models.ts';
import { addModelOptions, type ModelOptions } from '../options/model-options.ts';
import { requireCaptions, collectCaptions, integerFrom } from '../options/option-values.ts';
import { planOutputs } from '../output/image-outputs.ts';
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
  const { batchSize } = options;
  checkOptions(options);
  const captions = await requireCaptions('--caption', options.caption);
  const list = partOf(await listImages(texts, options), options.shard);
  const more = [options.classes, options.annotations];
  const outputs = await planOutputs(list, captions.length, options, more);
  const file = await openResults(options, captions, outputs.rule);
  const left = file === undefined ? list.images : list.images.filter(({ name }) => !file.wasDone(name));
  if (left.length < list.images.length)
    note(`resumed: ${list.images.length - left.length} of ${list.images.length} images are done`);
  const reader = new ImageReader(options, list.isBulk || options.skipBroken === true);
  const batches = batchesOf(left, batchSize);
  // The first images are read before the model, which takes longer to load: a wrong path is reported at once.
  let next = reader.readAll(batches[0] ?? []);
  await next;
  const models = new ImageModels(options, {}, wantsMasks(options) ? 'masks' : 'boxes');
  const progress = new Progress('images', left.length, {
    resultsComeLast: file !== undefined && options.json !== true,
  });
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
  try {
    await interruptible(async (signal) => {
      for (const [index, batch] of batches.entries()) {
        const groups = await models.groupsOf(await next);
        // Images of the next batch are decoded while the network runs. A failure is reported by the batch itself.
        next = reader.readAll(batches[index + 1] ?? []);
        next.catch(() => undefined);
        for (const { model, images: read } of groups) {
          const images = await reader.checkSizes(read, model);
          const results = images.length === 0 ? [] : await detectAll(model, images, captions, options);
          for (const [position, image] of images.entries()) {
            signal.throwIfAborted();
            await handle(image, results.slice(position * captions.length, (position + 1) * captions.length));
          }
        }
        progress.advance(batch.length);
      }
      await file?.finish();
    });
  } finally {
    progress.stop();
    file?.close();
    await next.catch(() => undefined);
    await models.dispose();
  }
  if (file !== undefined) note(`${options.results!}: ${list.images.length - left.length + file.written} images`);
  reader.finish(list.images.length);
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

/** The images of a shard: every n-th one. */
const partOf = (list: ImageList, shard: Shard | undefined): ImageList =>
  shard === undefined
    ? list
    : { ...list, isBulk: true, images: list.images.filter((_, i) => i % shard.count === shard.index) };

const openResults = async (
  options: DetectOptions,
  captions: readonly string[],
  rule: Parameters<typeof ResultsFile.open>[1],
): Promise<ResultsFile | undefined> => {
  const { results, format = 'jsonl', resume = false, overwrite = false, model, shard } = options;
  if (results === undefined) return undefined;
  const path = shard === undefined ? results : shardPath(results, shard);
  const settings = { ...exportOptionsOf(options), path, format, resume, overwrite, captions, model };
  return ResultsFile.open(settings, rule);
};

const batchesOf = (images: readonly ListedImage[], size: number): ListedImage[][] =>
  Array.from({ length: Math.ceil(images.length / size) }, (_, i) => images.slice(i * size, (i + 1) * size));

/** Results of every caption for every image, image by image. */
const detectAll = async (
  model: MDETR,
  images: readonly DecodedImage[],
  captions: readonly string[],
  options: DetectOptions,
): Promise<DetectionResult[]> => {
  const items = images.flatMap((image) =>
    captions.map((text) => ({ image: image.raw, text, name: image.name, read: image })),
  );
  const results = await model.detectBatch(items, { ...inferenceOptionsOf(options), batchSize: options.batchSize });
  return results.map((result, index) => completed(result, items[index]!.read));
};

import { Command } from 'commander';
import type { MDETR } from '../../inference/node/mdetr.ts';
import type { DetectionResult } from '../../results/types.ts';
import { interruptible } from '../options/stop-signals.ts';
import { addModelOptions, loadModel, type ModelOptions } from '../options/model-options.ts';
import { requireCaptions, collectCaptions, integerFrom } from '../options/option-values.ts';
import { planOutputs } from '../output/image-outputs.ts';
import {
  addImageOptions,
  ImageReader,
  inferenceOptionsOf,
  completed,
  type DecodedImage,
  type ImageOptions,
} from '../options/image-options.ts';
import { note, print } from '../output/print.ts';
import { Progress } from '../output/progress.ts';
import { detectionLine } from '../../results/result-lines.ts';
import { detectionText } from '../output/result-text.ts';

interface DetectOptions extends ModelOptions, ImageOptions {
  readonly caption?: readonly string[];
  readonly batchSize: number;
  readonly skipBroken?: boolean;
}

const EXAMPLES = `
The score of a box is 1 − P(no object). Its phrases are the words of the caption that it refers to, most probable first.

Examples
  mdetr detect street.jpg --caption "a man in a red coat and his dog" --out boxes.png
      a table of boxes, and the image with the boxes drawn
  mdetr detect street.jpg --caption "a dog" --caption "a bus" --json
      two captions, one JSON object each; the image is encoded once
  mdetr detect photos/*.jpg --caption "a dog" --batch-size 8 --skip-broken --out drawn/
      many images; broken ones are reported and counted; drawings are written to the folder drawn
  mdetr detect street.jpg --caption "the road" --masks-dir masks --out 'seen-{image}.jpg'
      masks as PNG files, and drawn on the image
  mdetr detect street.jpg --caption "the dog" --model pretrained_resnet101_checkpoint.pth --tokenizer roberta/
      an official checkpoint, with the folder of vocab.json and merges.txt

For several results, --out is a folder (DIR/) or a pattern with {image} (file name) and {text} (caption index, from 1).`;

/** `mdetr detect`: detects the objects that captions mention. */
export const detectCommand = (): Command => {
  const command = new Command('detect')
    .description('Detect the objects that captions mention: every caption in every image.')
    .argument('<image...>', 'image files (JPEG, PNG, WebP, GIF, TIFF, AVIF, HEIC, BMP)')
    .option('--caption <text>', 'caption (required); may be repeated', collectCaptions)
    .option(
      '--batch-size <n>',
      'maximum number of images, and of captions, in one run of the network',
      integerFrom(1),
      4,
    )
    .option('--skip-broken', 'report and count broken images instead of stopping');
  addModelOptions(addImageOptions(command));
  return command
    .addHelpText('after', EXAMPLES)
    .action((images: string[], options: DetectOptions) => detect(images, options));
};

const detect = async (paths: readonly string[], options: DetectOptions): Promise<void> => {
  const { batchSize } = options;
  const captions = requireCaptions('--caption', options.caption);
  const { drawings, masks } = await planOutputs(paths, captions.length, options);
  const reader = new ImageReader(options);
  // The first images are read before the model, which takes longer to load: a wrong path is reported at once.
  const first = await reader.readAll(paths.slice(0, batchSize));
  const model = await loadModel(options);
  const progress = new Progress('images', paths.length);
  const warned = new Set<string>();
  try {
    await interruptible(async (signal) => {
      for (let start = 0; start < paths.length; start += batchSize) {
        const read = start === 0 ? first : await reader.readAll(paths.slice(start, start + batchSize));
        const images = await reader.checkSizes(read, model);
        const results = await detectAll(model, images, captions, options);
        for (const [index, result] of results.entries()) {
          const image = images[Math.floor(index / captions.length)]!;
          const captionIndex = index % captions.length;
          signal.throwIfAborted();
          warnOnce(result.warnings, warned);
          await draw(await drawings?.pathFor(image.path, captionIndex), image, result);
          await masks?.write(image.path, captionIndex, result.detections);
          print(options.json === true ? `${JSON.stringify(detectionLine(result))}\n` : detectionText(result));
        }
        progress.advance(Math.min(batchSize, paths.length - start));
      }
    });
  } finally {
    progress.stop();
    await model.dispose();
  }
  reader.finish(paths.length);
};

/** Results of every caption for every image, image by image. */
const detectAll = async (
  model: MDETR,
  images: readonly DecodedImage[],
  captions: readonly string[],
  options: DetectOptions,
): Promise<DetectionResult[]> => {
  const items = images.flatMap((image) =>
    captions.map((text) => ({ image: image.raw, text, name: image.path, read: image })),
  );
  const results = await model.detectBatch(items, { ...inferenceOptionsOf(options), batchSize: options.batchSize });
  return results.map((result, index) => completed(result, items[index]!.read));
};

const draw = async (path: string | undefined, image: DecodedImage, result: DetectionResult): Promise<void> => {
  if (path === undefined) return;
  const { writeDrawing } = await import('../../drawing/node/index.ts');
  await writeDrawing(path, image.raw, result);
};

/** Prints the warnings that were not printed before: a warning about a caption comes with every image. */
const warnOnce = (warnings: readonly string[], warned: Set<string>): void => {
  for (const warning of warnings) {
    if (warned.has(warning)) continue;
    warned.add(warning);
    note(warning);
  }
};

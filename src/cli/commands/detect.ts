import { Command } from 'commander';
import type { MDETR } from '../../inference/node/mdetr.ts';
import type { DetectionResult } from '../../results/types.ts';
import { interruptible } from '../options/interrupt.ts';
import { MaskFiles } from '../output/mask-files.ts';
import { addModelOptions, loadModel, type ModelOptions } from '../options/model-options.ts';
import { requireTexts, several, wholeFrom } from '../options/option-values.ts';
import { DrawingPaths } from '../output/output-paths.ts';
import {
  addImageOptions,
  ImageReader,
  inferenceOptionsOf,
  withDecoding,
  type Picture,
  type ImageOptions,
} from '../options/image-options.ts';
import { note, Progress } from '../output/progress.ts';
import { detectionLine } from '../output/result-json.ts';
import { detectionText } from '../output/result-text.ts';

interface DetectOptions extends ModelOptions, ImageOptions {
  readonly caption?: readonly string[];
  readonly batchSize: number;
  readonly skipBroken?: boolean;
}

const help = `
A score is 1 − P(no object). The phrases of a box are the parts of the caption that it stands for, best first.

Examples
  mdetr detect street.jpg --caption "a man in a red coat and his dog" --out boxes.png
      a table of boxes, and the picture with the boxes drawn
  mdetr detect street.jpg --caption "a dog" --caption "a bus" --json
      two captions, one JSON object each; the picture goes through the backbone once
  mdetr detect photos/*.jpg --caption "a dog" --batch-size 8 --skip-broken --out drawn/
      many pictures; broken ones are reported and counted, drawings go into the folder drawn
  mdetr detect street.jpg --caption "the road" --masks-dir masks --out 'seen-{image}.jpg'
      masks as PNG files, and drawn into the picture
  mdetr detect street.jpg --caption "the dog" --model pretrained_resnet101_checkpoint.pth --tokenizer roberta/
      an official checkpoint, with the folder that holds vocab.json and merges.txt

With several results, --out names a folder (DIR/) or a pattern with {image} and {text} (the number of the caption).`;

/** `mdetr detect`: boxes for what the text mentions. */
export const detectCommand = (): Command => {
  const command = new Command('detect')
    .description('Finds what captions mention: every caption in every image.')
    .argument('<image...>', 'pictures (JPEG, PNG, WebP, GIF, TIFF, AVIF)')
    .option('--caption <text>', 'what to look for (required); may be given several times', several)
    .option('--batch-size <n>', 'pictures, and texts, that go through the network together', wholeFrom(1), 4)
    .option('--skip-broken', 'report and count broken pictures instead of stopping');
  addModelOptions(addImageOptions(command));
  return command
    .addHelpText('after', help)
    .action((images: string[], options: DetectOptions) => detect(images, options));
};

const detect = async (images: readonly string[], options: DetectOptions): Promise<void> => {
  const { batchSize } = options;
  const captions = requireTexts('--caption', options.caption);
  const drawings =
    options.out === undefined ? undefined : await DrawingPaths.plan(options.out, images, captions.length);
  const masks = options.masksDir === undefined ? undefined : new MaskFiles(options.masksDir, captions.length);
  const reader = new ImageReader(options);
  // The first pictures before the model, which may take long: a misspelt name is told at once.
  const first = await reader.readAll(images.slice(0, batchSize));
  const model = await loadModel(options);
  const progress = new Progress('pictures', images.length);
  const warned = new Set<string>();
  try {
    await interruptible(async (signal) => {
      for (let start = 0; start < images.length; start += batchSize) {
        const read = start === 0 ? first : await reader.readAll(images.slice(start, start + batchSize));
        const pictures = await reader.fitting(read, model);
        const results = await detectAll(model, pictures, captions, options);
        for (const [index, result] of results.entries()) {
          const image = pictures[Math.floor(index / captions.length)]!;
          const text = index % captions.length;
          signal.throwIfAborted();
          warnOnce(result.warnings, warned);
          await draw(await drawings?.pathFor(image.path, text), image, result);
          await masks?.write(image.path, text, result.detections);
          process.stdout.write(
            options.json === true
              ? `${JSON.stringify(detectionLine(result))}\n`
              : detectionText(result, options.threshold),
          );
        }
        progress.advance(Math.min(batchSize, images.length - start));
      }
    });
  } finally {
    progress.stop();
    await model.dispose();
  }
  reader.finish(images.length);
};

/** Every caption for every picture, captions of one picture next to each other. */
const detectAll = async (
  model: MDETR,
  images: readonly Picture[],
  captions: readonly string[],
  options: DetectOptions,
): Promise<DetectionResult[]> => {
  const items = images.flatMap((image) =>
    captions.map((text) => ({ image: image.raw, text, name: image.path, read: image })),
  );
  const results = await model.detectBatch(items, { ...inferenceOptionsOf(options), batchSize: options.batchSize });
  return results.map((result, index) => withDecoding(result, items[index]!.read));
};

const draw = async (path: string | undefined, image: Picture, result: DetectionResult): Promise<void> => {
  if (path === undefined) return;
  const { writeDrawing } = await import('../../drawing/node/index.ts');
  await writeDrawing(path, image.raw, result);
};

/** A caption's warning once, however many pictures it is used for. */
const warnOnce = (warnings: readonly string[], warned: Set<string>): void => {
  for (const warning of warnings) {
    if (warned.has(warning)) continue;
    warned.add(warning);
    note(warning);
  }
};

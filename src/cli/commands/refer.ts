import { Command } from 'commander';
import { addModelOptions } from '../options/model-options.ts';
import { requireCaptions, collectCaptions } from '../options/option-values.ts';
import { addImageOptions, IMAGES_HELP, inferenceOptionsOf } from '../options/image-options.ts';
import { runOnImages, type EachImageOptions } from '../input/each-image.ts';
import { referLine } from '../../results/result-lines.ts';
import { referText } from '../output/result-text.ts';

interface ReferOptions extends EachImageOptions {
  readonly expression?: readonly string[];
}

const EXAMPLES = `
Prints the best box even if its score is low, as in the official evaluation; with --threshold, only if its score exceeds
that. --out draws the best box only.

Examples
  mdetr refer street.jpg --expression "the dog on the left"
  mdetr refer street.jpg --expression "the man" --expression "his coat" --json
      several expressions; the image is encoded once
  mdetr refer street.jpg --expression "the dog" --masks --out dog.png`;

/** `mdetr refer`: finds the object that an expression refers to. */
export const referCommand = (): Command => {
  const command = new Command('refer')
    .description('Find the object that a referring expression means.')
    .argument('<image...>', 'images: files, folders, patterns, - or @list.txt')
    .option('--expression <text>', 'referring expression (required); may be repeated', collectCaptions);
  addModelOptions(addImageOptions(command), 'by image');
  return command
    .addHelpText('after', `${EXAMPLES}\n\n${IMAGES_HELP}`)
    .action(async (images: string[], options: ReferOptions) =>
      runOnImages(images, await requireCaptions('--expression', options.expression), options, {
        needs: 'boxes',
        run: (scene, expression) => scene.refer(expression, inferenceOptionsOf(options)),
        json: referLine,
        text: referText,
        drawing: ({ expression, best }) => ({ caption: expression, detections: best === null ? [] : [best] }),
      }),
    );
};

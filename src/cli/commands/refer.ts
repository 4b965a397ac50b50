import { Command } from 'commander';
import { addModelOptions } from '../options/model-options.ts';
import { requireCaptions, collectCaptions } from '../options/option-values.ts';
import { addImageOptions, inferenceOptionsOf } from '../options/image-options.ts';
import { runOnImage, type SingleImageOptions } from './single-image.ts';
import { referLine } from '../../results/result-lines.ts';
import { referText } from '../output/result-text.ts';

interface ReferOptions extends SingleImageOptions {
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
    .argument('<image>', 'image file (JPEG, PNG, WebP, GIF, TIFF, AVIF, HEIC, BMP)')
    .option('--expression <text>', 'referring expression (required); may be repeated', collectCaptions);
  addModelOptions(addImageOptions(command));
  return command.addHelpText('after', EXAMPLES).action((image: string, options: ReferOptions) =>
    runOnImage(image, requireCaptions('--expression', options.expression), options, {
      run: (scene, expression) => scene.refer(expression, inferenceOptionsOf(options)),
      json: referLine,
      text: referText,
      drawing: ({ expression, best }) => ({ caption: expression, detections: best === null ? [] : [best] }),
    }),
  );
};

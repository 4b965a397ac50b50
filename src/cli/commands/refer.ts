import { Command } from 'commander';
import { addModelOptions } from '../options/model-options.ts';
import { requireTexts, several } from '../options/option-values.ts';
import { addImageOptions, inferenceOptionsOf } from '../options/image-options.ts';
import { lookAtOne, type SingleImageOptions } from './single-image.ts';
import { referLine } from '../output/result-json.ts';
import { referText } from '../output/result-text.ts';

interface ReferOptions extends SingleImageOptions {
  readonly expression?: readonly string[];
}

const help = `
There is always a best box, as in the official evaluation; with --threshold there may be none.
--out draws the best box only.

Examples
  mdetr refer street.jpg --expression "the dog on the left"
  mdetr refer street.jpg --expression "the man" --expression "his coat" --json
      several expressions; the picture goes through the backbone once
  mdetr refer street.jpg --expression "the dog" --masks --out dog.png`;

/** `mdetr refer`: the one object that an expression refers to. */
export const referCommand = (): Command => {
  const command = new Command('refer')
    .description('Finds the one object that an expression refers to.')
    .argument('<image>', 'a picture (JPEG, PNG, WebP, GIF, TIFF, AVIF)')
    .option('--expression <text>', 'what is meant (required); may be given several times', several);
  addModelOptions(addImageOptions(command));
  return command.addHelpText('after', help).action((image: string, options: ReferOptions) =>
    lookAtOne(image, requireTexts('--expression', options.expression), options, {
      run: (scene, expression) => scene.refer(expression, inferenceOptionsOf(options)),
      json: referLine,
      text: (result) => referText(result, options.threshold),
      drawing: ({ expression, best }) => ({ caption: expression, detections: best === null ? [] : [best] }),
    }),
  );
};

import { Command } from 'commander';
import { addModelOptions } from '../options/model-options.ts';
import { requireCaptions, collectCaptions } from '../options/option-values.ts';
import { addImageOptions, IMAGES_HELP, inferenceOptionsOf } from '../options/image-options.ts';
import { runOnImages, type EachImageOptions } from '../input/each-image.ts';
import { answerLine } from '../../results/result-lines.ts';
import { answerText } from '../output/result-text.ts';

interface AskOptions extends EachImageOptions {
  readonly question?: readonly string[];
  readonly answers?: string;
}

const EXAMPLES = `
The probability of an answer is P(question type) × P(answer), over the answers that the model was trained on.

Examples
  mdetr ask scene.png --question "what color is the cube?"
  mdetr ask scene.png --question "how many balls are there?" --question "is the cube shiny?" --json
      several questions; the image is encoded once
  mdetr ask street.jpg --question "who wears a coat?" --model gqa_resnet101_checkpoint.pth \\
      --tokenizer roberta/ --answers gqa_answer2id_by_type.json
      an official checkpoint with GQA's answer table`;

/** `mdetr ask`: answers questions about an image. */
export const askCommand = (): Command => {
  const command = new Command('ask')
    .description('Answer questions about an image, with the boxes of the objects that the question mentions.')
    .argument('<image...>', 'images: files, folders, patterns, - or @list.txt')
    .option('--question <text>', 'question (required); may be repeated', collectCaptions)
    .option('--answers <file>', "GQA's answer table (JSON), for models trained on GQA");
  addModelOptions(addImageOptions(command), 'by image');
  return command
    .addHelpText('after', `${EXAMPLES}\n\n${IMAGES_HELP}`)
    .action(async (images: string[], options: AskOptions) =>
      runOnImages(images, await requireCaptions('--question', options.question), options, {
        needs: 'answers',
        answers: options.answers,
        run: (scene, question) => scene.ask(question, inferenceOptionsOf(options)),
        json: answerLine,
        text: answerText,
        drawing: ({ question, answer, probability, detections }) => ({
          caption: question,
          detections,
          note: `${answer} (${(100 * probability).toFixed(1)} %)`,
        }),
      }),
    );
};

import { Command } from 'commander';
import { addModelOptions } from '../options/model-options.ts';
import { requireTexts, several } from '../options/option-values.ts';
import { addImageOptions, inferenceOptionsOf } from '../options/image-options.ts';
import { lookAtOne, type SingleImageOptions } from './single-image.ts';
import { answerLine } from '../output/result-json.ts';
import { answerText } from '../output/result-text.ts';

interface AskOptions extends SingleImageOptions {
  readonly question?: readonly string[];
  readonly answers?: string;
}

const help = `
The probability is P(kind of question) × P(answer), over the answers that the model knows.

Examples
  mdetr ask scene.png --question "what colour is the cube?"
  mdetr ask scene.png --question "how many balls are there?" --question "is the cube shiny?" --json
      several questions; the picture goes through the backbone once
  mdetr ask street.jpg --question "who wears a coat?" --model gqa_resnet101_checkpoint.pth \\
      --tokenizer roberta/ --answers gqa_answer2id_by_type.json
      an official checkpoint with GQA's table of answers`;

/** `mdetr ask`: the answer to a question, and the boxes that the model looked at. */
export const askCommand = (): Command => {
  const command = new Command('ask')
    .description('Answers a question about a picture, and shows what it looked at.')
    .argument('<image>', 'a picture (JPEG, PNG, WebP, GIF, TIFF, AVIF)')
    .option('--question <text>', 'the question (required); may be given several times', several)
    .option('--answers <file>', "GQA's table of answers (JSON), for models trained on GQA");
  addModelOptions(addImageOptions(command));
  return command.addHelpText('after', help).action((image: string, options: AskOptions) =>
    lookAtOne(image, requireTexts('--question', options.question), options, {
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

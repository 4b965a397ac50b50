import { availableParallelism } from 'node:os';
import { Presets, SingleBar } from 'cli-progress';
import { Command, InvalidArgumentError, Option } from 'commander';
import { writeDataset } from '../../scenes/dataset/dataset.ts';
import { DATASET_DEFAULTS, type DatasetSettings } from '../../scenes/dataset/dataset-settings.ts';
import { RENDER_QUALITIES } from '../../scenes/render/scene.ts';
import { SPLITS } from '../../scenes/render/splits.ts';
import { TEXT_KINDS, type TextKind } from '../../scenes/language/texts.ts';

interface ScenesOptions extends Omit<DatasetSettings, 'kinds'> {
  readonly out: string;
  readonly kinds: readonly TextKind[];
  readonly threads: number;
  readonly overwrite?: boolean;
}

const whole = (text: string): number => {
  if (!/^\d+$/.test(text)) throw new InvalidArgumentError('It must be a whole number.');
  return Number(text);
};

const share = (text: string): number => {
  const value = Number(text);
  if (text.trim() === '' || !(value >= 0 && value <= 1)) throw new InvalidArgumentError('It must be from 0 to 1.');
  return value;
};

const kindList = (text: string): TextKind[] =>
  text.split(',').map((name) => {
    const kind = TEXT_KINDS.find((known) => known === name.trim());
    if (kind === undefined) throw new InvalidArgumentError(`Choose from ${TEXT_KINDS.join(', ')}.`);
    return kind;
  });

const EXAMPLES = `
What it writes
  DIR/images/                     scene_SPLIT_000000.png, …
  DIR/scenes.json, questions.json CLEVR's own formats, questions with functional programs
  DIR/annotations/                official annotation format, one file per task:
    captions.json                 phrases for objects and groups, each with its boxes
    refexps.json, refexp_masks.json  expressions for one object; the same with masks
    questions.json                questions with answers and the boxes they are about
    negatives.json                captions that mention something absent (tokens_negative)
  DIR/dataset.json                the settings; the same command goes on after an interruption

Splits
  standard    all combinations, training wordings
  paraphrase  the same pictures as standard, sentence patterns that no other split uses
  cogent-a    cubes gray, blue, brown, yellow; cylinders red, green, purple, cyan
  cogent-b    the other way round

Examples
  mdetr scenes --out scenes/train --images 2000
  mdetr scenes --out scenes/test --images 500 --seed 99 --split paraphrase
  mdetr scenes --out pictures --images 10 --width 480 --height 320 --max-objects 10 --texts-per-image 0
`;

/** `mdetr scenes`: procedural CLEVR-format scenes. */
export const scenesCommand = (): Command =>
  new Command('scenes')
    .description('Draw procedural CLEVR-format scenes with boxes, masks, captions, expressions and questions.')
    .requiredOption('--out <dir>', 'folder to write')
    .requiredOption('--images <n>', 'number of scenes', whole)
    .option('--seed <s>', 'scenes depend on this and their number alone', whole, DATASET_DEFAULTS.seed)
    .option('--start <i>', 'number of the first scene', whole, DATASET_DEFAULTS.start)
    .addOption(
      new Option('--split <name>', 'which combinations and wordings').choices(SPLITS).default(DATASET_DEFAULTS.split),
    )
    .option('--width <px>', 'picture width', whole, DATASET_DEFAULTS.width)
    .option('--height <px>', 'picture height', whole, DATASET_DEFAULTS.height)
    .option('--min-objects <n>', 'fewest objects', whole, DATASET_DEFAULTS.minObjects)
    .option('--max-objects <n>', 'most objects, up to 10', whole, DATASET_DEFAULTS.maxObjects)
    .addOption(
      new Option('--quality <name>', 'shadow samples and rays per edge; auto goes by the picture size')
        .choices(['auto', ...Object.keys(RENDER_QUALITIES)])
        .default(DATASET_DEFAULTS.quality),
    )
    .addOption(new Option('--format <name>', 'picture files').choices(['png', 'jpg']).default(DATASET_DEFAULTS.format))
    .option('--texts-per-image <k>', 'texts of each kind per picture', whole, DATASET_DEFAULTS.textsPerImage)
    .option('--kinds <list>', 'which texts, separated by commas', kindList, [...DATASET_DEFAULTS.kinds])
    .option(
      '--needs-color <share>',
      'chance that a phrase would fit other objects without its colour',
      share,
      DATASET_DEFAULTS.needsColor,
    )
    .option('--anchors', 'expressions: annotate what locates the target too, with isfinal 0', DATASET_DEFAULTS.anchors)
    .option('--threads <n>', 'worker threads; the result does not depend on it', whole, availableParallelism())
    .option('--overwrite', 'replace a data set with other settings')
    .addHelpText('after', EXAMPLES)
    .action(async ({ out, threads, overwrite, ...settings }: ScenesOptions) => {
      const stop = new AbortController();
      const onSignal = (): void => stop.abort();
      // A launcher may pass the same Ctrl-C on twice; the second must not cut the cleaning up short.
      process.on('SIGINT', onSignal);
      process.on('SIGTERM', onSignal);
      const bar = new SingleBar(
        {
          stream: process.stderr,
          format: 'scenes {bar} {value}/{total}, {duration_formatted}, {eta_formatted} left',
          hideCursor: true,
        },
        Presets.shades_classic,
      );
      bar.start(settings.images, 0);
      try {
        const texts = await writeDataset(out, settings, {
          threads,
          overwrite: overwrite === true,
          signal: stop.signal,
          onProgress: (done) => bar.update(done),
        });
        bar.stop();
        const counts = Object.entries(texts).map(([name, count]) => `${name} ${count}`);
        process.stdout.write(`${out}: ${settings.images} scenes; ${counts.join(', ')}\n`);
      } finally {
        bar.stop();
        process.off('SIGINT', onSignal);
        process.off('SIGTERM', onSignal);
      }
    });

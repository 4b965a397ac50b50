import { availableParallelism } from 'node:os';
import { Presets, SingleBar } from 'cli-progress';
import { Command, InvalidArgumentError, Option } from 'commander';
import { writeDataset } from '../../scenes/dataset/dataset.ts';
import { DATASET_DEFAULTS, type DatasetSettings } from '../../scenes/dataset/dataset-settings.ts';
import { RENDER_QUALITIES } from '../../scenes/render/scene.ts';
import { LANGUAGES, SPLITS } from '../../scenes/render/splits.ts';
import { fraction, integerFrom } from '../options/option-values.ts';
import { StopSignals } from '../options/stop-signals.ts';
import { TEXT_KINDS, type TextKind } from '../../scenes/language/texts.ts';
import { print } from '../output/print.ts';

interface ScenesOptions extends Omit<DatasetSettings, 'kinds'> {
  readonly out: string;
  readonly kinds: readonly TextKind[];
  readonly threads: number;
  readonly overwrite?: boolean;
}

const integer = integerFrom(0);

const kindList = (text: string): TextKind[] =>
  text.split(',').map((name) => {
    const kind = TEXT_KINDS.find((known) => known === name.trim());
    if (kind === undefined) throw new InvalidArgumentError(`Choose from ${TEXT_KINDS.join(', ')}.`);
    return kind;
  });

const EXAMPLES = `
Output
  DIR/images/                     scene_SPLIT_000000.png, …
  DIR/scenes.json, questions.json scenes and questions with functional programs in CLEVR's format
  DIR/annotations/                annotation files in the official format, one per task:
    captions.json                 captions with boxes for every phrase
    refexps.json, refexp_masks.json  referring expressions for one object, without and with masks
    questions.json                questions with answers and the boxes of the objects they mention
    negatives.json                captions that mention absent objects (tokens_negative)
  DIR/dataset.json                the settings; running the same command again resumes an interrupted run

Splits
  standard    all combinations of attributes, training wording
  paraphrase  the same images as standard, with sentence patterns that no other split uses
  paraphrase2 the same with further patterns, written before the wide language and never trained on
  cogent-a    cubes are gray, blue, brown or yellow; cylinders red, green, purple or cyan
  cogent-b    cubes and cylinders swap their colors

Examples
  mdetr scenes --out scenes/train --images 2000
  mdetr scenes --out scenes/test --images 500 --seed 99 --split paraphrase
  mdetr scenes --out images --images 10 --width 480 --height 320 --max-objects 10 --texts-per-image 0
`;

/** `mdetr scenes`: generates scenes in CLEVR's format. */
export const scenesCommand = (): Command =>
  new Command('scenes')
    .description('Generate scenes in CLEVR format with boxes, masks, captions, expressions and questions.')
    .requiredOption('--out <dir>', 'output folder')
    .requiredOption('--images <n>', 'number of scenes', integer)
    .option('--seed <s>', 'seed; a scene depends only on seed and index', integer, DATASET_DEFAULTS.seed)
    .option('--start <i>', 'index of the first scene', integer, DATASET_DEFAULTS.start)
    .addOption(
      new Option('--split <name>', 'combinations of attributes and wording')
        .choices(SPLITS)
        .default(DATASET_DEFAULTS.split),
    )
    .addOption(
      new Option('--language <name>', 'plain: few patterns; wide: hundreds, synonyms, word orders, typing errors')
        .choices(LANGUAGES)
        .default(DATASET_DEFAULTS.language),
    )
    .option('--width <px>', 'image width in pixels', integer, DATASET_DEFAULTS.width)
    .option('--height <px>', 'image height in pixels', integer, DATASET_DEFAULTS.height)
    .option('--min-objects <n>', 'minimum number of objects', integer, DATASET_DEFAULTS.minObjects)
    .option('--max-objects <n>', 'maximum number of objects, up to 10', integer, DATASET_DEFAULTS.maxObjects)
    .addOption(
      new Option('--quality <name>', 'shadow samples and rays per edge; auto depends on the image size')
        .choices(['auto', ...Object.keys(RENDER_QUALITIES)])
        .default(DATASET_DEFAULTS.quality),
    )
    .addOption(new Option('--format <name>', 'image format').choices(['png', 'jpg']).default(DATASET_DEFAULTS.format))
    .option('--texts-per-image <k>', 'texts of each kind per image', integer, DATASET_DEFAULTS.textsPerImage)
    .option('--kinds <list>', 'comma-separated kinds of texts', kindList, [...DATASET_DEFAULTS.kinds])
    .option(
      '--needs-color <fraction>',
      'probability that a phrase would be ambiguous without its color',
      fraction,
      DATASET_DEFAULTS.needsColor,
    )
    .option('--anchors', 'expressions: also annotate the anchors, with isfinal 0', DATASET_DEFAULTS.anchors)
    .option('--threads <n>', 'worker threads; the output does not depend on it', integer, availableParallelism())
    .option('--force, --overwrite', 'replace a dataset with other settings')
    .addHelpText('after', EXAMPLES)
    .action(async ({ out, threads, overwrite, ...settings }: ScenesOptions) => {
      const bar = new SingleBar(
        {
          stream: process.stderr,
          format: 'scenes {bar} {value}/{total}, {duration_formatted}, {eta_formatted} left',
          hideCursor: true,
        },
        Presets.shades_classic,
      );
      const signals = new StopSignals();
      bar.start(settings.images, 0);
      try {
        const texts = await writeDataset(out, settings, {
          threads,
          overwrite: overwrite === true,
          signal: signals.signal,
          onProgress: (done) => bar.update(done),
        });
        bar.stop();
        const counts = Object.entries(texts).map(([name, count]) => `${name} ${count}`);
        print(`${out}: ${settings.images} scenes; ${counts.join(', ')}\n`);
      } finally {
        bar.stop();
        signals.forget();
      }
    });

import { Command, InvalidArgumentError, Option } from 'commander';
import type { OnBadRow } from '../../data/annotation-index/row-reader.ts';
import { IMPORT_DEFAULTS } from '../../datasets/import/import-defaults.ts';
import { TEXT_KINDS, type TextKind } from '../../datasets/import/made-texts.ts';
import { fractionBelowOne, integerFrom } from './option-values.ts';

/** Options of the commands that import annotations. */
export interface ImportSettings {
  readonly format?: string;
  readonly images?: string;
  readonly texts: readonly TextKind[];
  readonly negatives: number;
  readonly valFraction: number;
  readonly attributes?: 'all' | readonly string[];
  readonly class?: string;
  readonly classes?: string;
  readonly vocOrigin?: 0 | 1;
  readonly seed: number;
  readonly onBadRow: OnBadRow;
}

/** Adds the options of an import to a command. */
export const addImportOptions = (command: Command): Command =>
  command
    .option('--format <name>', 'format of the source (default: recognized)')
    .option('--images <dir>', 'folder of the images, if they are not below the source')
    .option(
      '--texts <kinds>',
      'captions to make from classes: classes, prompts, captions',
      textKinds,
      IMPORT_DEFAULTS.texts,
    )
    .option(
      '--negatives <n>',
      'absent classes that are mentioned for each image',
      integerFrom(0),
      IMPORT_DEFAULTS.negatives,
    )
    .option(
      '--val-fraction <f>',
      'fraction of the images for validation, if the source has no validation part',
      fractionBelowOne,
      IMPORT_DEFAULTS.valFraction,
    )
    .option(
      '--attributes <names>',
      'attributes that become part of the phrases ("red car"): all, or a list',
      attributeChoice,
    )
    .option('--class <name>', 'class of objects to which the source gives none')
    .option('--classes <file>', 'names of numbered classes, one per line')
    .addOption(
      new Option('--voc-origin <n>', 'number of the first pixel in Pascal VOC files (default: decided from the files)')
        .choices(['0', '1'])
        .argParser(originChoice),
    )
    .option('--seed <s>', 'seed of the validation part and of the captions', integerFrom(0), IMPORT_DEFAULTS.seed)
    .addOption(
      new Option('--on-bad-row <action>', 'action for entries of the source that cannot be used')
        .choices(['stop', 'skip'])
        .default('stop'),
    );

const originChoice = (text: string): 0 | 1 => {
  if (text !== '0' && text !== '1') throw new InvalidArgumentError('It must be 0 or 1.');
  return text === '0' ? 0 : 1;
};

const textKinds = (text: string): readonly TextKind[] =>
  text.split(',').map((word) => {
    const kind = TEXT_KINDS.find((each) => each === word.trim());
    if (kind === undefined) throw new InvalidArgumentError(`It must be a list of ${TEXT_KINDS.join(', ')}.`);
    return kind;
  });

const attributeChoice = (text: string): 'all' | string[] =>
  text.trim() === 'all' ? 'all' : text.split(',').map((name) => name.trim());

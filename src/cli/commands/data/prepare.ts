import { Command, Option } from 'commander';
import { preparations } from '../../../datasets/preparations.ts';
import type { Preparation, PreparationReport, PreparationRequest } from '../../../datasets/preparation/preparation.ts';
import { prepareDataset } from '../../../datasets/preparation/prepare-dataset.ts';
import { UsageError } from '../../../errors.ts';
import { interruptible } from '../../options/stop-signals.ts';
import { formatCount, formatTable } from '../../output/table.ts';
import { remarksText, StepProgress } from './preparation-report.ts';
import { preparationTools } from './preparation-tools.ts';
import { print } from '../../output/print.ts';

const HELP = `
"mdetr data prepare NAME --help" lists the options of a dataset, the files it needs and where to download them. The written
files have the official format and names; training and evaluation read them, "mdetr data check" and "mdetr data show"
inspect them.

Examples
  mdetr data prepare --list
  mdetr data prepare flickr30k --explain
  mdetr data prepare flickr30k --from flickr30k_entities --out annotations`;

type PrepareCliOptions = Readonly<Record<string, string | boolean | undefined>>;

/** `mdetr data prepare`: converts datasets as distributed to official annotation files, one subcommand per dataset. */
export const prepareCommand = (): Command => {
  const command = new Command('prepare')
    .description('Convert datasets, as their authors distribute them, to official annotation files.')
    .usage('NAME --from DIR --out DIR [options]')
    // Reached if no dataset has that name; the error must be about the name, not about the options that follow.
    .argument('[name...]', 'dataset')
    .allowUnknownOption()
    .option('--list', 'list the datasets')
    .addHelpText('after', HELP)
    .action((words: readonly string[], { list }: { readonly list?: boolean }) => {
      if (list !== true) throw new UsageError(unknownName(words[0]));
      print(listOfPreparations());
    });
  for (const preparation of preparations()) command.addCommand(commandOf(preparation));
  return command;
};

const unknownName = (name: string | undefined): string =>
  name === undefined
    ? 'the name of a dataset is missing; "mdetr data prepare --list" lists them'
    : name.startsWith('-')
      ? `unknown option '${name}' (see mdetr data prepare --help)`
      : `unknown dataset "${name}"; choose from ${preparations()
          .map((each) => each.name)
          .join(', ')}`;

const listOfPreparations = (): string =>
  formatTable(
    [{ title: 'name' }, { title: 'dataset' }, { title: 'splits' }],
    preparations().map(({ name, title, splits }) => [name, title, splits.join(', ')]),
  );

const commandOf = (preparation: Preparation): Command => {
  const { name, title, splits, defaultSplits = splits, options } = preparation;
  const command = new Command(name)
    .description(title)
    .usage('--from DIR --out DIR [options]')
    .option('--from <dir>', 'folder with the dataset as distributed')
    .option('--out <dir>', 'output folder for the annotation files')
    .option('--split <list>', `comma-separated splits: ${splits.join(', ')}`, defaultSplits.join(','))
    .option('--explain', 'describe the output and the required files, without preparing anything')
    .addOption(
      new Option('--on-bad-row <action>', 'action for entries of the source that cannot be used')
        .choices(['stop', 'skip'])
        .default('stop'),
    )
    .option('--force, --overwrite', 'replace files in --out that no preparation wrote, or that changed since')
    .option('--json', 'print the report as one JSON object')
    .addHelpText('after', () => `\n${aboutText(preparation)}\n${neededFiles(preparation, defaultsOf(preparation))}`)
    .action(async (given: PrepareCliOptions) => {
      const request = requestOf(preparation, given);
      if (given['explain'] === true) {
        print(`${title}\n\n${aboutText(preparation)}\n${neededFiles(preparation, request)}`);
        return;
      }
      const { from, out } = given;
      if (typeof from !== 'string' || typeof out !== 'string')
        throw new UsageError(`${typeof from === 'string' ? '--out' : '--from'} DIR is missing`);
      await interruptible(async (signal) => {
        const progress = new StepProgress(signal);
        const onBadRow = given['onBadRow'] === 'skip' ? 'skip' : 'stop';
        const overwrite = given['overwrite'] === true;
        const report = await prepareDataset(preparation, {
          ...request,
          from,
          out,
          onBadRow,
          overwrite,
          tools: preparationTools,
          progress,
        }).finally(() => progress.stop());
        print(given['json'] === true ? `${JSON.stringify(report)}\n` : reportText(report));
      });
    });
  for (const option of options) {
    const flag = new Option(
      option.value === undefined ? `--${option.name}` : `--${option.name} <${option.value}>`,
      option.description,
    );
    if (option.choices !== undefined) flag.choices(option.choices);
    if (option.default !== undefined) flag.default(option.default);
    command.addOption(flag);
  }
  return command;
};

type Selection = Pick<PreparationRequest, 'splits' | 'options'>;

const defaultsOf = ({ splits, defaultSplits = splits, options }: Preparation): Selection => ({
  splits: defaultSplits,
  options: Object.fromEntries(options.map((option) => [option.name, option.default])),
});

const requestOf = (preparation: Preparation, given: PrepareCliOptions): Selection => {
  const wanted = String(given['split'])
    .split(',')
    .map((split) => split.trim());
  const unknown = wanted.find((split) => !preparation.splits.includes(split));
  if (unknown !== undefined)
    throw new UsageError(`--split ${unknown}: ${preparation.name} has the splits ${preparation.splits.join(', ')}`);
  return {
    splits: preparation.splits.filter((split) => wanted.includes(split)),
    options: Object.fromEntries(
      preparation.options.map(({ name }) => {
        const value = given[name.replace(/-(\w)/g, (_, letter: string) => letter.toUpperCase())];
        return [name, value === undefined || value === false ? undefined : String(value)];
      }),
    ),
  };
};

const neededFiles = (preparation: Preparation, selection: Selection): string => {
  const rows = preparation
    .sources(selection)
    .map(({ path, kind, holds, size, from }) => [kind === 'folder' ? `${path}/` : path, holds, size, from]);
  return `Files below --from\n${formatTable([{ title: '' }, { title: '' }, { title: '', align: 'right' }, { title: '' }], rows, '  ')}`;
};

const MAX_LINE_LENGTH = 100;

/** The help text of a preparation, wrapped to the width of the terminal. */
const aboutText = ({ about }: Preparation): string =>
  about
    .trim()
    .split(/\n\s*\n/)
    .map((paragraph) => `${wrapped(paragraph, Math.min(process.stdout.columns || MAX_LINE_LENGTH, MAX_LINE_LENGTH))}\n`)
    .join('\n');

const wrapped = (paragraph: string, width: number): string => {
  const lines: string[] = [];
  for (const word of paragraph.split(/\s+/)) {
    const line = lines.at(-1);
    if (line !== undefined && line.length + 1 + word.length <= width) lines[lines.length - 1] = `${line} ${word}`;
    else lines.push(word);
  }
  return lines.join('\n');
};

const reportText = (report: PreparationReport): string =>
  [
    ...report.files.map(
      ({ path, images, annotations }) => `${path}: ${formatCount(images)} rows, ${formatCount(annotations)} boxes\n`,
    ),
    ...(report.lists ?? []).map(({ path, entries }) => `${path}: ${formatCount(entries)} images\n`),
    remarksText(report),
  ].join('');

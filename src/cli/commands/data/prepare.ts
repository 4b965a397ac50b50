import { Command, Option } from 'commander';
import { preparations } from '../../../datasets/index.ts';
import type { Preparation, PreparationReport, PreparationRequest, Remark } from '../../../datasets/preparation.ts';
import { requireSources } from '../../../datasets/source-files.ts';
import { UsageError } from '../../../errors.ts';
import { interruptible } from '../../options/interrupt.ts';
import { Progress } from '../../output/progress.ts';
import { formatCount, formatTable } from '../../output/table.ts';
import { preparationTools } from './preparation-tools.ts';

const help = `
Each data set has its own options and needs: "mdetr data prepare NAME --help" tells them, and which files to fetch from
where. The files that are written are the official ones, under their official names; training and evaluation read them,
"mdetr data check" and "mdetr data show" look at them.

Examples
  mdetr data prepare --list
  mdetr data prepare flickr30k --explain
  mdetr data prepare flickr30k --from flickr30k_entities --out annotations`;

type PrepareCliOptions = Readonly<Record<string, string | boolean | undefined>>;

/** `mdetr data prepare`: data sets as distributed → official annotation files. One subcommand a data set. */
export const prepareCommand = (): Command => {
  const command = new Command('prepare')
    .description('Makes official annotation files of data sets as their authors distribute them.')
    .usage('NAME --from DIR --out DIR [options]')
    // Reached when no data set has that name; whatever follows it must not become the complaint.
    .argument('[name...]', 'the data set')
    .allowUnknownOption()
    .option('--list', 'tell which data sets there are')
    .addHelpText('after', help)
    .action((words: readonly string[], { list }: { readonly list?: boolean }) => {
      if (list !== true) throw new UsageError(unknownName(words[0]));
      process.stdout.write(listOfPreparations());
    });
  for (const preparation of preparations) command.addCommand(commandOf(preparation));
  return command;
};

const unknownName = (name: string | undefined): string =>
  name === undefined
    ? 'name a data set; "mdetr data prepare --list" tells which there are'
    : name.startsWith('-')
      ? `unknown option '${name}' (see mdetr data prepare --help)`
      : `no data set is called "${name}"; there are ${preparations.map((each) => each.name).join(', ')}`;

const listOfPreparations = (): string =>
  formatTable(
    [{ title: 'name' }, { title: 'data set' }, { title: 'splits' }],
    preparations.map(({ name, title, splits }) => [name, title, splits.join(', ')]),
  );

const commandOf = (preparation: Preparation): Command => {
  const { name, title, splits, defaultSplits = splits, options } = preparation;
  const command = new Command(name)
    .description(title)
    .usage('--from DIR --out DIR [options]')
    .option('--from <dir>', 'folder with the data set as distributed')
    .option('--out <dir>', 'folder to write the annotation files into')
    .option('--split <list>', `which splits, with commas between: ${splits.join(', ')}`, defaultSplits.join(','))
    .option('--explain', 'tell what these options need and from where, without doing it')
    .option('--json', 'print the report as one JSON object')
    .addHelpText('after', () => `\n${aboutText(preparation)}\n${neededFiles(preparation, defaultsOf(preparation))}`)
    .action(async (given: PrepareCliOptions) => {
      const request = requestOf(preparation, given);
      if (given['explain'] === true) {
        process.stdout.write(`${title}\n\n${aboutText(preparation)}\n${neededFiles(preparation, request)}`);
        return;
      }
      const { from, out } = given;
      if (typeof from !== 'string' || typeof out !== 'string')
        throw new UsageError(`${typeof from === 'string' ? '--out' : '--from'} DIR is missing`);
      requireSources(from, preparation.sources(request), `mdetr data prepare ${name} --explain`);
      await interruptible(async (signal) => {
        const bars = new StepBars(signal);
        const report = await preparation
          .run({ ...request, from, out, tools: preparationTools, progress: bars })
          .finally(() => bars.stop());
        process.stdout.write(given['json'] === true ? `${JSON.stringify(report)}\n` : reportText(report));
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

type Wanted = Pick<PreparationRequest, 'splits' | 'options'>;

const defaultsOf = ({ splits, defaultSplits = splits, options }: Preparation): Wanted => ({
  splits: defaultSplits,
  options: Object.fromEntries(options.map((option) => [option.name, option.default])),
});

const requestOf = (preparation: Preparation, given: PrepareCliOptions): Wanted => {
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

const neededFiles = (preparation: Preparation, wanted: Wanted): string => {
  const rows = preparation
    .sources(wanted)
    .map(({ path, kind, holds, size, from }) => [kind === 'folder' ? `${path}/` : path, holds, size, from]);
  return `Files below --from\n${formatTable([{ title: '' }, { title: '' }, { title: '', align: 'right' }, { title: '' }], rows, '  ')}`;
};

const WIDEST_LINE = 100;

/** Paragraphs broken for the terminal. */
const aboutText = ({ about }: Preparation): string =>
  about
    .trim()
    .split(/\n\s*\n/)
    .map((paragraph) => `${wrapped(paragraph, Math.min(process.stdout.columns || WIDEST_LINE, WIDEST_LINE))}\n`)
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

/** One bar after the other. Between parts of the work is where Ctrl-C ends it, with nothing half written left behind. */
class StepBars {
  private readonly signal: AbortSignal;
  private bar: Progress | undefined;

  constructor(signal: AbortSignal) {
    this.signal = signal;
  }

  step(what: string, total: number): void {
    this.signal.throwIfAborted();
    this.stop();
    this.bar = new Progress(what, total, { resultsComeLast: true });
  }

  advance(count = 1): void {
    this.signal.throwIfAborted();
    this.bar?.advance(count);
  }

  stop(): void {
    this.bar?.stop();
    this.bar = undefined;
  }
}

const reportText = ({ files, lists = [], leftOut, notes }: PreparationReport): string =>
  [
    ...files.map(
      ({ path, images, annotations }) => `${path}: ${formatCount(images)} rows, ${formatCount(annotations)} boxes\n`,
    ),
    ...lists.map(({ path, entries }) => `${path}: ${formatCount(entries)} images\n`),
    ...leftOut.map((remark) => `left out: ${remarkText(remark)}`),
    ...notes.map((remark) => `note: ${remarkText(remark)}`),
  ].join('');

const remarkText = ({ what, count, examples }: Remark): string => {
  const more = count > examples.length ? ', …' : '';
  return `${what}: ${formatCount(count)}${examples.length > 0 ? ` (${examples.join(', ')}${more})` : ''}\n`;
};

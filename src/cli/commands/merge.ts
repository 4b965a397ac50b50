import { existsSync, statSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { Command } from 'commander';
import { readResultLines } from '../../datasets/export/export-results.ts';
import { exporterNamed } from '../../datasets/export/exporters.ts';
import { MdetrError } from '../../errors.ts';
import { GrowingFile } from '../../files/growing-file.ts';
import { NameTable } from '../../files/name-table.ts';
import { OutputRule } from '../../files/output-rule.ts';
import { ImageList } from '../input/image-list.ts';
import { addFormatOptions, exportOptionsOf, type FormatOptions } from '../options/format-options.ts';
import { exportWithNotes } from '../output/exported-results.ts';
import { note } from '../output/print.ts';
import { unfinishedMark } from '../output/results-file.ts';

interface MergeOptions extends FormatOptions {
  readonly results: string;
  readonly images?: readonly string[];
  readonly recursive?: boolean;
  readonly overwrite?: boolean;
}

/** Names that a message lists. */
const MAX_NAMES = 20;

const EXAMPLES = `
FILE is the --results of the calls that were given --shard: found.jsonl stands for found.00000-of-00016.jsonl and so on. A
part that is missing or unfinished, and an image that occurs in several parts, is named; with --images, so is every image of
the calls that has no result, and a result more than once. The exit status is then 1, and nothing is written.

Examples
  mdetr merge found.jsonl --results all.jsonl
  mdetr merge found.jsonl --results all.jsonl --images photos/ --recursive
  mdetr merge found.jsonl --results tasks.json --format labelstudio`;

/** `mdetr merge`: joins the results of shards. */
export const mergeCommand = (): Command =>
  addFormatOptions(
    new Command('merge')
      .description('Join the results of the parts of a call (detect --shard), and say what is missing or doubled.')
      .argument('<file>', 'path of --results that the parts were given, or the parts themselves')
      .requiredOption('--results <path>', 'file or folder to write')
      .option('--images <image...>', 'images of the calls, as they were given to detect: each must have its results')
      .option('--recursive', 'look into the subfolders of folders of --images')
      .option('--overwrite', 'write into a folder of --results that has files in it'),
  )
    .addHelpText('after', EXAMPLES)
    .action((file: string, options: MergeOptions) => merge(file, options));

const merge = async (file: string, options: MergeOptions): Promise<void> => {
  const { results: path, format = 'jsonl', classes, annotations, images, recursive, overwrite } = options;
  const parts = await partsOf(file);
  const rule = new OutputRule({ inputs: [...parts, classes, annotations], overwrite });
  if (format !== 'jsonl' && exporterNamed(format).target === 'folder') rule.folder(path, `--results ${path}`);
  else rule.named(path, `--results ${path}`);
  await requireDistinct(parts);
  if (images !== undefined) await requireImages(parts, await ImageList.open(images, { recursive }));
  if (format !== 'jsonl') {
    const { images } = await exportWithNotes(resultsOf(parts), { ...exportOptionsOf(options), path, format });
    note(`${path}: ${images} images of ${parts.length} parts`);
    return;
  }
  const output = await GrowingFile.open(path);
  let count = 0;
  try {
    for await (const result of resultsOf(parts)) {
      await output.write(`${JSON.stringify(result)}\n`);
      count++;
    }
  } catch (error) {
    await output.discard();
    throw error;
  }
  await output.finish();
  note(`${path}: ${count} results of ${parts.length} parts`);
};

async function* resultsOf(parts: readonly string[]) {
  for (const part of parts) yield* readResultLines(part);
}

/** Paths of all parts, in their order. @throws {MdetrError} if some are missing or unfinished, or there are none */
const partsOf = async (file: string): Promise<string[]> => {
  const name = basename(file).replace(/\.\d{5}-of-\d{5}(?=\.[^.]*$|$)/, '');
  const [, stem, extension = ''] = /^(.*?[^.])(\.[^.]*)?$/s.exec(name) ?? [undefined, name];
  const found = new Map<number, string>();
  const counts = new Set<number>();
  for (const entry of await readdir(dirname(file)).catch(() => [])) {
    const [, index, count] = /\.(\d{5})-of-(\d{5})(?:\.[^.]*)?$/.exec(entry) ?? [];
    if (index === undefined || entry !== `${stem}.${index}-of-${count!}${extension}`) continue;
    found.set(Number(index), join(dirname(file), entry));
    counts.add(Number(count));
  }
  const [count] = counts;
  if (count === undefined) throw new MdetrError(`${file}: has no parts (${stem}.00000-of-…${extension})`);
  if (counts.size > 1)
    throw new MdetrError(
      `${file}: has parts of ${[...counts].join(' and of ')} shards; remove those of the other call`,
    );
  const indices = Array.from({ length: count }, (_, index) => index);
  const missing = indices.filter((index) => !found.has(index));
  if (missing.length > 0)
    throw new MdetrError(`${file}: ${missing.length} of ${count} parts are missing: ${listed(missing)}`);
  const unfinished = indices.filter((index) => existsSync(unfinishedMark(found.get(index)!)));
  if (unfinished.length > 0)
    throw new MdetrError(
      `${file}: ${unfinished.length} of ${count} parts are unfinished: ${listed(unfinished)}; run them again with --resume`,
    );
  const parts = indices.map((index) => found.get(index)!);
  const folder = parts.find((part) => statSync(part).isDirectory());
  if (folder !== undefined)
    throw new MdetrError(
      `${folder}: is a folder of annotations, and parts are joined as results; run detect --shard without --format, and give --format to merge`,
    );
  return parts;
};

const listed = (items: readonly (string | number)[], total = items.length): string =>
  `${items.slice(0, MAX_NAMES).join(', ')}${total > MAX_NAMES ? ', …' : ''}`;

/** @throws {MdetrError} naming images that several parts have */
const requireDistinct = async (parts: readonly string[]): Promise<void> => {
  const partOf = new NameTable();
  const doubled = new NameTable();
  let count = 0;
  let first: string | undefined;
  try {
    for (const [index, part] of parts.entries())
      for await (const { image } of readResultLines(part)) {
        if ((partOf.get(image) ?? index) !== index && doubled.add(image)) {
          count++;
          first ??= image;
        }
        partOf.set(image, index);
      }
  } finally {
    partOf.close();
    doubled.close();
  }
  if (first !== undefined)
    throw new MdetrError(
      `${count} images are in several parts, for instance ${first}; were the parts made with other lists?`,
    );
};

/** @throws {MdetrError} naming images of the list that have no results, and results that are not of the list or doubled */
const requireImages = async (parts: readonly string[], list: ImageList): Promise<void> => {
  const left = new NameTable();
  const missing: string[] = [];
  let [results, images, missed] = [0, 0, 0];
  try {
    for await (const { image, captionIndex } of resultsOf(parts)) {
      if (captionIndex !== 0) continue;
      left.set(image, (left.get(image) ?? 0) + 1);
      results++;
    }
    for await (const chunk of list.chunks())
      for (const { name } of chunk) {
        images++;
        const count = left.get(name) ?? 0;
        if (count > 0) left.set(name, count - 1);
        else if (missed++ < MAX_NAMES) missing.push(name);
      }
    if (missed > 0) throw new MdetrError(`${missed} of ${images} images have no results: ${listed(missing, missed)}`);
    if (results === images) return;
    for await (const { image } of resultsOf(parts))
      if ((left.get(image) ?? 0) > 0)
        throw new MdetrError(
          `${results - images} results more than images, for instance of ${image}: it is not in the list, or its results are doubled`,
        );
  } finally {
    left.close();
    await list.close();
  }
};

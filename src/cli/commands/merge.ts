import { readdir } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { Command } from 'commander';
import { readResultLines } from '../../datasets/export/export-results.ts';
import { MdetrError } from '../../errors.ts';
import { GrowingFile } from '../../files/growing-file.ts';
import { OutputRule } from '../../files/output-rule.ts';
import { addFormatOptions, exportOptionsOf, type FormatOptions } from '../options/format-options.ts';
import { exportWithNotes } from '../output/exported-results.ts';
import { note } from '../output/print.ts';

interface MergeOptions extends FormatOptions {
  readonly results: string;
}

const EXAMPLES = `
FILE is the --results of the calls that were given --shard: found.jsonl stands for found.00000-of-00016.jsonl and so on. A
part that is missing, and an image that occurs in several parts, is named; the exit status is then 1, and nothing is written.

Examples
  mdetr merge found.jsonl --results all.jsonl
  mdetr merge found.jsonl --results tasks.json --format labelstudio`;

/** `mdetr merge`: joins the results of shards. */
export const mergeCommand = (): Command =>
  addFormatOptions(
    new Command('merge')
      .description('Join the results of the parts of a call (detect --shard), and say what is missing or doubled.')
      .argument('<file>', 'path of --results that the parts were given, or the parts themselves')
      .requiredOption('--results <path>', 'file or folder to write'),
  )
    .addHelpText('after', EXAMPLES)
    .action((file: string, options: MergeOptions) => merge(file, options));

const merge = async (file: string, options: MergeOptions): Promise<void> => {
  const { results: path, format = 'jsonl', classes, annotations } = options;
  const parts = await partsOf(file);
  new OutputRule({ inputs: [...parts, classes, annotations] }).named(path, `--results ${path}`);
  await requireDistinct(parts);
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

/** Paths of all parts, in their order. @throws {MdetrError} if some are missing, or there are none */
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
  const missing = Array.from({ length: count }, (_, index) => index).filter((index) => !found.has(index));
  if (missing.length > 0)
    throw new MdetrError(
      `${file}: ${missing.length} of ${count} parts are missing: ${missing.slice(0, 20).join(', ')}${missing.length > 20 ? ', …' : ''}`,
    );
  return [...found].sort(([a], [b]) => a - b).map(([, path]) => path);
};

/** @throws {MdetrError} naming images that several parts have */
const requireDistinct = async (parts: readonly string[]): Promise<void> => {
  const partOf = new Map<string, number>();
  const doubled = new Set<string>();
  for (const [index, part] of parts.entries())
    for await (const { image } of readResultLines(part)) {
      const other = partOf.get(image) ?? index;
      if (other !== index) doubled.add(image);
      partOf.set(image, index);
    }
  if (doubled.size === 0) return;
  const [first] = doubled;
  throw new MdetrError(
    `${doubled.size} images are in several parts, for instance ${first!}; were the parts made with other lists?`,
  );
};

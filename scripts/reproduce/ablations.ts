/**
 * What parts of the recipe are worth: trains configs/scenes/ablations.json whole and with one part left out at a time, one
 * run after the other, measures each on the same scenes, and prints the table of docs/results.md. Goes on where it was
 * interrupted.
 *
 *     npm run ablations                                     # the stage `backbone` is trained once and shared
 *     npm run ablations -- --out runs/ablations --threads 2 --only everything,no-alignment
 *     npm run ablations -- --data DIR                       # pictures that `mdetr scenes` wrote (seed 1, 144 × 96)
 */
import { cpSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { drawSheet } from '../../src/cli/plot/curve-sheet.ts';
import { sheetOf } from '../../src/cli/plot/panels.ts';
import { readRunCurves } from '../../src/train/run/run-curves.ts';
import { mdetr } from './built-command.ts';

/** Every run by name, with what is other than in the config; each is to be compared with `against`. */
const arms: readonly { readonly name: string; readonly settings: readonly string[]; readonly against?: string }[] = [
  { name: 'everything', settings: [] },
  { name: 'no-word-helpers', settings: ['encoder_auxiliary_loss=0', 'word_auxiliary_loss=0'], against: 'everything' },
  {
    name: 'no-text-in-encoder',
    settings: ['encoder_auxiliary_loss=0', 'word_auxiliary_loss=0', 'text_in_encoder=false'],
    against: 'no-word-helpers',
  },
  { name: 'no-alignment', settings: ['contrastive_align_loss=false'], against: 'everything' },
  { name: 'no-auxiliary', settings: ['aux_loss=false'], against: 'everything' },
];
const shown = [
  'phrase Recall@1',
  'phrase Recall@5',
  'phrase mean IoU',
  'referring precision@1',
  'box AP@50',
  'absent phrases boxed',
];

const { values: options } = parseArgs({
  options: {
    out: { type: 'string', default: 'runs/ablations' },
    threads: { type: 'string', default: '1' },
    data: { type: 'string' },
    only: { type: 'string', default: arms.map(({ name }) => name).join(',') },
  },
});
const { out, threads, data } = options;
const root = fileURLToPath(new URL('../..', import.meta.url));
const config = join(root, 'configs/scenes/ablations.json');
const chosen = arms.filter(({ name }) => options.only.split(',').includes(name));

/** The first stage is the same for all: who comes later takes over what the first one made. */
const shareBackbone = (run: string): void => {
  const made = join(out, arms[0]!.name, 'backbone');
  if (existsSync(join(made, 'last')) && !existsSync(run)) cpSync(made, join(run, 'backbone'), { recursive: true });
};

interface Results {
  readonly results: readonly { readonly title: string; readonly metrics: Readonly<Record<string, number>> }[];
}

/** Of a run that is trained and measured: values and numbers of items by name. */
const numbersOf = (
  name: string,
): { values: Readonly<Record<string, number>>; items: Readonly<Record<string, number>> } => {
  const file = join(out, name, 'numbers.json');
  if (!existsSync(file))
    mdetr('evaluate', config, '--model', join(out, name, 'ground/last'), '--threads', threads, '--json', file);
  const { results } = JSON.parse(readFileSync(file, 'utf8')) as Results;
  const metricsOf = (title: string) => results.find((result) => result.title === title)?.metrics ?? {};
  return { values: metricsOf('standard'), items: metricsOf('items') };
};

mkdirSync(out, { recursive: true });
for (const { name, settings } of chosen) {
  const run = join(out, name);
  shareBackbone(run);
  const given = [...settings, ...(data === undefined ? [] : [`datasets=${JSON.stringify([{ scenes: data }])}`])];
  mdetr(
    ...['train', config, '--output-dir', run, '--threads', threads, '--resume'],
    ...given.flatMap((setting) => ['--set', setting]),
  );
}
const numbers = new Map(chosen.map(({ name }) => [name, numbersOf(name)]));

/** How far apart two shares of so many items are, in standard errors of their difference. */
const errorsApart = (a: number, b: number, items: number): number => {
  const variance = (a * (1 - a) + b * (1 - b)) / items;
  return variance === 0 ? 0 : (a - b) / Math.sqrt(variance);
};

const row = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
const lines = [row(['', ...shown]), row(['---', ...shown.map(() => '---')])];
for (const { name, against } of chosen) {
  const { values, items } = numbers.get(name)!;
  const other = against === undefined ? undefined : numbers.get(against)?.values;
  lines.push(
    row([
      name.replaceAll('-', ' '),
      ...shown.map((metric) => {
        const value = values[metric]!;
        // Means of overlaps and average precision are no shares of items.
        const isShare = !/IoU|AP/.test(metric);
        const apart = other === undefined || !isShare ? undefined : errorsApart(value, other[metric]!, items[metric]!);
        return `${value.toFixed(3)}${apart === undefined ? '' : ` (${apart > 0 ? '+' : '−'}${Math.abs(apart).toFixed(1)})`}`;
      }),
    ]),
  );
}
console.log(lines.join('\n'));
console.log('\nIn brackets: standard errors between this run and the one that it is compared with.');
const { items } = numbers.get(chosen[0]!.name)!;
console.log(shown.map((metric) => `${metric}: ${items[metric]!} items`).join('; '));

const curves = await Promise.all(chosen.map(({ name }) => readRunCurves(join(out, name, 'ground'))));
const named = curves.map((run, index) => ({ ...run, name: chosen[index]!.name.replaceAll('-', ' ') }));
const terms = ['loss_ce', 'loss_bbox', 'loss_giou', 'loss_isfinal', 'cardinality_error', 'grad_norm'];
const image = join(out, 'ablations.svg');
writeFileSync(image, drawSheet(sheetOf(named, { terms, smooth: 0.5, logScale: false, xName: 'steps' })));
console.log(`curves: ${image}`);

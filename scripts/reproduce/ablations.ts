/**
 * Ablations of the recipe: trains configs/scenes/ablations.json, once completely and once without each part, evaluates each
 * run on the same scenes, and prints the table of docs/results.md. The stage `backbone` is trained once for all runs. An
 * interrupted call can be repeated and resumes.
 *
 *     npm run reproduce:ablations
 *     npm run reproduce:ablations -- --out runs/ablations --threads 2 --only everything,no-alignment
 *     npm run reproduce:ablations -- --data DIR    # images of `mdetr scenes` (seed 1, 144 × 96)
 */
import { cpSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { drawSheet } from '../../src/cli/plot/curve-sheet.ts';
import { sheetOf } from '../../src/cli/plot/panels.ts';
import { readRunCurves } from '../../src/train/run/run-curves.ts';
import { mdetr } from './built-command.ts';

/** Runs with the settings that differ from the config. Each is compared with the run `against`. */
const ARMS: readonly { readonly name: string; readonly settings: readonly string[]; readonly against?: string }[] = [
  { name: 'everything', settings: [] },
  { name: 'no-word-losses', settings: ['encoder_auxiliary_loss=0', 'word_auxiliary_loss=0'], against: 'everything' },
  {
    name: 'no-text-in-encoder',
    settings: ['encoder_auxiliary_loss=0', 'word_auxiliary_loss=0', 'text_in_encoder=false'],
    against: 'no-word-losses',
  },
  { name: 'no-alignment', settings: ['contrastive_align_loss=false'], against: 'everything' },
  { name: 'no-auxiliary', settings: ['aux_loss=false'], against: 'everything' },
];
const SHOWN_METRICS = [
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
    only: { type: 'string', default: ARMS.map(({ name }) => name).join(',') },
  },
});
const { out, threads, data } = options;
const root = fileURLToPath(new URL('../..', import.meta.url));
const config = join(root, 'configs/scenes/ablations.json');
const chosen = ARMS.filter(({ name }) => options.only.split(',').includes(name));

/** Copies the first training stage from the first run: it is the same for all. */
const shareBackbone = (run: string): void => {
  const made = join(out, ARMS[0]!.name, 'backbone');
  if (existsSync(join(made, 'last')) && !existsSync(run)) cpSync(made, join(run, 'backbone'), { recursive: true });
};

interface Results {
  readonly results: readonly { readonly title: string; readonly metrics: Readonly<Record<string, number>> }[];
}

/** Metrics of a trained run, and the number of samples behind each. */
const evaluationOf = (
  name: string,
): { values: Readonly<Record<string, number>>; items: Readonly<Record<string, number>> } => {
  const file = join(out, name, 'metrics.json');
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
const evaluations = new Map(chosen.map(({ name }) => [name, evaluationOf(name)]));

/** Difference of two fractions of `items` samples, in standard errors. */
const errorsApart = (a: number, b: number, items: number): number => {
  const variance = (a * (1 - a) + b * (1 - b)) / items;
  return variance === 0 ? 0 : (a - b) / Math.sqrt(variance);
};

const row = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
const lines = [row(['', ...SHOWN_METRICS]), row(['---', ...SHOWN_METRICS.map(() => '---')])];
for (const { name, against } of chosen) {
  const { values, items } = evaluations.get(name)!;
  const other = against === undefined ? undefined : evaluations.get(against)?.values;
  lines.push(
    row([
      name.replaceAll('-', ' '),
      ...SHOWN_METRICS.map((metric) => {
        const value = values[metric]!;
        // Mean IoU and average precision are not fractions of the samples.
        const isFraction = !/IoU|AP/.test(metric);
        const apart =
          other === undefined || !isFraction ? undefined : errorsApart(value, other[metric]!, items[metric]!);
        return `${value.toFixed(3)}${apart === undefined ? '' : ` (${apart > 0 ? '+' : '−'}${Math.abs(apart).toFixed(1)})`}`;
      }),
    ]),
  );
}
console.log(lines.join('\n'));
console.log('\nIn brackets: difference from the compared run, in standard errors.');
const { items } = evaluations.get(chosen[0]!.name)!;
console.log(SHOWN_METRICS.map((metric) => `${metric}: ${items[metric]!} samples`).join('; '));

const curves = await Promise.all(chosen.map(({ name }) => readRunCurves(join(out, name, 'ground'))));
const named = curves.map((run, index) => ({ ...run, name: chosen[index]!.name.replaceAll('-', ' ') }));
const terms = ['loss_ce', 'loss_bbox', 'loss_giou', 'loss_isfinal', 'cardinality_error', 'grad_norm'];
const image = join(out, 'ablations.svg');
writeFileSync(image, drawSheet(sheetOf(named, { terms, smooth: 0.5, logScale: false, xName: 'steps' })));
console.log(`curves: ${image}`);

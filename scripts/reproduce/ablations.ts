/**
 * Ablations of the recipe: trains configs/scenes/ablations.json with variants of its settings and several seeds, evaluates
 * each run on the same scenes, and prints a table of docs/results.md: means and standard errors over seeds. The stage
 * `backbone` is trained once for all runs. An interrupted call can be repeated and resumes.
 *
 *     npm run reproduce:ablations                                   # query selection, part by part
 *     npm run reproduce:ablations -- --table losses --seeds 42      # the auxiliary losses
 *     npm run reproduce:ablations -- --out runs/ablations --threads 2 --only learned,whole
 *     npm run reproduce:ablations -- --data DIR    # images of `mdetr scenes` (seed 1, 144 × 96)
 *     npm run reproduce:ablations -- --steps 20    # a quick check of the script itself
 */
import { cpSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { drawSheet } from '../../src/cli/plot/curve-sheet.ts';
import { sheetOf } from '../../src/cli/plot/panels.ts';
import { readRunCurves } from '../../src/train/run/run-curves.ts';
import { mdetr } from './built-command.ts';

/** A variant of the recipe: the settings that differ from the config, and the variant that it is compared with. */
interface Arm {
  readonly name: string;
  readonly settings: readonly string[];
  readonly against?: string;
}

const SELECTED_BOXES = ['num_queries=16', 'query_selection=boxes'];
const REFINED = [...SELECTED_BOXES, 'box_refinement=true'];
const WITH_CONTENT = ['num_queries=16', 'query_selection=features', 'box_refinement=true'];
const SUPPRESSED = [...WITH_CONTENT, 'selection_suppression=0.6'];
const WHOLE = [...SUPPRESSED, 'eos_coef=0.4'];

/** Tables of variants. In `queries` every variant adds a part to the one before it, except for the last. */
const TABLES: Readonly<Record<string, readonly Arm[]>> = {
  queries: [
    { name: 'learned', settings: ['num_queries=16'] },
    { name: 'boxes', settings: SELECTED_BOXES, against: 'learned' },
    { name: 'refinement', settings: REFINED, against: 'boxes' },
    { name: 'content', settings: WITH_CONTENT, against: 'refinement' },
    { name: 'suppression', settings: SUPPRESSED, against: 'content' },
    { name: 'whole', settings: WHOLE, against: 'suppression' },
    { name: 'whole-no-words', settings: [...WHOLE, 'word_auxiliary_loss=0'], against: 'whole' },
  ],
  losses: [
    { name: 'everything', settings: [] },
    { name: 'no-word-losses', settings: ['encoder_auxiliary_loss=0', 'word_auxiliary_loss=0'], against: 'everything' },
    {
      name: 'no-text-in-encoder',
      settings: ['encoder_auxiliary_loss=0', 'word_auxiliary_loss=0', 'text_in_encoder=false'],
      against: 'no-word-losses',
    },
    { name: 'no-alignment', settings: ['contrastive_align_loss=false'], against: 'everything' },
    { name: 'no-auxiliary', settings: ['aux_loss=false'], against: 'everything' },
  ],
};
const SHOWN_METRICS = [
  'phrase Recall@1',
  'phrase Recall@5',
  'phrase mean IoU',
  'referring precision@1',
  'box AP@50',
  'mentioned objects boxed twice',
  'absent phrases boxed',
];

const { values: options } = parseArgs({
  options: {
    out: { type: 'string', default: 'runs/ablations' },
    threads: { type: 'string', default: '1' },
    data: { type: 'string' },
    table: { type: 'string', default: 'queries' },
    seeds: { type: 'string', default: '42,43,44' },
    only: { type: 'string' },
    steps: { type: 'string' },
  },
});
const { out, threads, data, steps } = options;
const root = fileURLToPath(new URL('../..', import.meta.url));
const config = join(root, 'configs/scenes/ablations.json');
const arms = TABLES[options.table];
if (arms === undefined) throw new Error(`--table is one of ${Object.keys(TABLES).join(', ')}`);
const only = options.only?.split(',');
const chosen = arms.filter(({ name }) => only?.includes(name) ?? true);
const seeds = options.seeds.split(',').map(Number);
const folderOf = (name: string, seed: number): string => join(out, `${name}-seed${seed}`);

/** The first training stage does not depend on the variant: the first run trains it, and all others copy it. */
const shareBackbone = (run: string): void => {
  const shared = join(out, 'backbone');
  const own = join(run, 'backbone');
  if (existsSync(join(shared, 'last')) && !existsSync(run)) cpSync(shared, own, { recursive: true });
};
const keepBackbone = (run: string): void => {
  const shared = join(out, 'backbone');
  if (!existsSync(shared)) cpSync(join(run, 'backbone'), shared, { recursive: true });
};

interface Results {
  readonly results: readonly { readonly title: string; readonly metrics: Readonly<Record<string, number>> }[];
}

/** Metrics of a trained run, and the number of samples behind each. */
const evaluationOf = (
  run: string,
): { values: Readonly<Record<string, number>>; items: Readonly<Record<string, number>> } => {
  const file = join(run, 'metrics.json');
  if (!existsSync(file))
    mdetr('evaluate', config, '--model', join(run, 'ground/last'), '--threads', threads, '--json', file);
  const { results } = JSON.parse(readFileSync(file, 'utf8')) as Results;
  const metricsOf = (title: string) => results.find((result) => result.title === title)?.metrics ?? {};
  return { values: metricsOf('standard'), items: metricsOf('items') };
};

mkdirSync(out, { recursive: true });
// Seed by seed, so that an interrupted call has complete tables of fewer seeds.
for (const seed of seeds)
  for (const { name, settings } of chosen) {
    const run = folderOf(name, seed);
    if (existsSync(join(run, 'metrics.json'))) continue;
    shareBackbone(run);
    const given = [
      ...settings,
      `seed=${seed}`,
      ...(data === undefined ? [] : [`datasets=${JSON.stringify([{ scenes: data }])}`]),
      ...(steps === undefined ? [] : [`max_steps=${steps}`]),
    ];
    mdetr(
      'train',
      config,
      '--output-dir',
      run,
      '--threads',
      threads,
      '--resume',
      ...given.flatMap((setting) => ['--set', setting]),
    );
    keepBackbone(run);
    evaluationOf(run);
  }

const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

/** Standard error of the mean over seeds; NaN for one seed. */
const standardError = (values: readonly number[]): number => {
  const center = mean(values);
  const squares = values.reduce((sum, value) => sum + (value - center) ** 2, 0);
  return Math.sqrt(squares / (values.length - 1) / values.length);
};

const valuesOf = (name: string, metric: string): number[] =>
  seeds.map((seed) => evaluationOf(folderOf(name, seed)).values[metric]!);

const row = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
const lines = [row(['', ...SHOWN_METRICS]), row(['---', ...SHOWN_METRICS.map(() => '---')])];
for (const { name, against } of chosen) {
  const isCompared = against !== undefined && chosen.some((other) => other.name === against);
  lines.push(
    row([
      name.replaceAll('-', ' '),
      ...SHOWN_METRICS.map((metric) => {
        const values = valuesOf(name, metric);
        const error = seeds.length > 1 ? ` ± ${standardError(values).toFixed(3)}` : '';
        const change = isCompared ? mean(values) - mean(valuesOf(against, metric)) : undefined;
        const shown = change === undefined ? '' : ` (${change < 0 ? '−' : '+'}${Math.abs(change).toFixed(3)})`;
        return `${mean(values).toFixed(3)}${error}${shown}`;
      }),
    ]),
  );
}
console.log(lines.join('\n'));
console.log(
  `\nMeans and standard errors over seeds ${seeds.join(', ')}; in brackets the change from the compared variant.`,
);
const [first] = seeds;
const { items } = evaluationOf(folderOf(chosen[0]!.name, first!));
console.log(SHOWN_METRICS.map((metric) => `${metric}: ${items[metric]!} samples`).join('; '));

const curves = await Promise.all(chosen.map(({ name }) => readRunCurves(join(folderOf(name, first!), 'ground'))));
const named = curves.map((run, index) => ({ ...run, name: chosen[index]!.name.replaceAll('-', ' ') }));
const terms = ['loss_ce', 'loss_bbox', 'loss_giou', 'loss_isfinal', 'cardinality_error', 'grad_norm'];
const image = join(out, `${options.table}.svg`);
writeFileSync(image, drawSheet(sheetOf(named, { terms, smooth: 0.5, logScale: false, xName: 'steps' })));
console.log(`curves: ${image}`);

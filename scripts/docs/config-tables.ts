/**
 * Writes the tables of config keys in docs/training.md from the schemas.
 *
 *     npm run docs:config             writes them
 *     npm run docs:config -- --check  exit status 1 if they are out of date
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type * as z from 'zod';
import { criterionConfigSchema } from '../../src/losses/index.ts';
import { modelConfigSchema } from '../../src/models/index.ts';
import { KEYS_WITHOUT_EFFECT, TRAIN_SLICES } from '../../src/train/config/config.ts';
import {
  annotatedDatasetSchema,
  drawnScenesSchema,
  photoDatasetSchema,
  sceneDatasetSchema,
} from '../../src/train/config/slices/datasets.ts';
import { textStageSchema } from '../../src/train/config/slices/scenes.ts';

const START = '<!-- Tables of keys, written by `npm run docs:config`: edit the descriptions in the schemas. -->';
const END = '<!-- End of the tables of keys. -->';

/** The keys of one schema, in its order. */
export interface KeyRow {
  readonly key: string;
  readonly default: string;
  readonly description: string;
  /** Not in the official code. */
  readonly isOwn: boolean;
}

/** @throws {Error} for a key without a description */
export const rowsOf = ({ shape }: z.ZodObject): readonly KeyRow[] =>
  Object.entries(shape).map(([key, field]) => {
    const meta = (field as z.ZodType).meta() ?? {};
    if (meta.description === undefined) throw new Error(`the schema of "${key}" has no description`);
    const shown = typeof meta['shown'] === 'string' ? meta['shown'] : defaultOf(field as z.ZodType);
    return { key, default: shown, description: meta.description, isOwn: meta['own'] === true };
  });

const defaultOf = (field: z.ZodType): string => {
  const parsed = field.safeParse(undefined);
  if (!parsed.success) return 'required';
  const value: unknown = parsed.data;
  if (value === undefined || value === '' || (Array.isArray(value) && value.length === 0)) return '–';
  if (typeof value === 'string') return `\`${value}\``;
  if (typeof value === 'number') return value !== 0 && Math.abs(value) < 1e-3 ? value.toExponential() : String(value);
  return typeof value === 'boolean' ? String(value) : JSON.stringify(value);
};

const tableOf = (schema: z.ZodObject): string =>
  [
    '| key | default | description |',
    '|---|---|---|',
    ...rowsOf(schema).map(
      ({ key, default: shown, description, isOwn }) =>
        `| \`${key}\` | ${shown} | ${isOwn ? '*own*: ' : ''}${description.replaceAll('|', '\\|')} |`,
    ),
  ].join('\n');

/** All tables, as Markdown. */
export const configTables = (): string => {
  const {
    data,
    officialData,
    sceneTexts,
    augmentation,
    initialization,
    optimizer,
    schedule,
    auxiliary,
    validation,
    run,
  } = TRAIN_SLICES;
  return [
    '### Network',
    tableOf(modelConfigSchema),
    '### Losses',
    tableOf(criterionConfigSchema),
    '### Auxiliary heads',
    tableOf(auxiliary),
    '### Data',
    tableOf(data),
    'An entry of `datasets` or `datasets_val` is an annotation file:',
    tableOf(annotatedDatasetSchema),
    'or procedural scenes:',
    tableOf(sceneDatasetSchema),
    'The keys of `scenes`, for scenes that are rendered when they are needed:',
    tableOf(drawnScenesSchema),
    'or photographs, whose detector has run before ([photographs.md](photographs.md)):',
    tableOf(photoDatasetSchema),
    '### Texts about scenes',
    tableOf(sceneTexts),
    'The keys of an entry of `texts`:',
    tableOf(textStageSchema),
    '### Official datasets',
    tableOf(officialData),
    '### Images and augmentation',
    tableOf(augmentation),
    '### Initial weights',
    tableOf(initialization),
    '### Optimizer',
    tableOf(optimizer),
    '### Schedule',
    tableOf(schedule),
    '### Validation keys',
    tableOf(validation),
    '### Run',
    tableOf(run),
    '### Sections',
    [
      '| key | description |',
      '|---|---|',
      '| `stages` | *own*: training stages, a list of objects with a `name` and the settings that differ; see [Training stages](#training-stages) |',
      '| `evaluate` | *own*: options of `mdetr evaluate CONFIG`, by their names with `_` |',
    ].join('\n'),
    `Official arguments that are accepted without effect: ${KEYS_WITHOUT_EFFECT.filter((key) => key !== 'evaluate')
      .map((key) => `\`${key}\``)
      .join(', ')}.`,
  ].join('\n\n');
};

/** A document with the tables between its markers replaced. */
export const withConfigTables = (text: string): string => {
  const [start, end] = [text.indexOf(START), text.indexOf(END)];
  if (start < 0 || end < start) throw new Error(`the markers of the tables are missing: ${START}`);
  return `${text.slice(0, start + START.length)}\n\n${configTables()}\n\n${text.slice(end)}`;
};

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const path = fileURLToPath(new URL('../../docs/training.md', import.meta.url));
  const text = readFileSync(path, 'utf8');
  const current = withConfigTables(text);
  if (text === current) console.log('docs/training.md: the tables of keys are current');
  else if (process.argv.includes('--check')) {
    console.error('docs/training.md: the tables of keys are out of date: run `npm run docs:config`');
    process.exitCode = 1;
  } else writeFileSync(path, current);
}

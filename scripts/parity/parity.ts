/**
 * Compares this package with outputs of the official code:
 *
 *     npm run parity [-- FOLDER]
 *
 * FOLDER contains reference cases (default: ../shared/reference/cases, else the copies among the test fixtures). The folders
 * keys, tokenizer, preprocess, images and checkpoints beside the cases are compared too if they exist. Prints the largest
 * difference of every kind for each of them; exit status 1 if one is outside its tolerance.
 */
import { existsSync, readdirSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { loadTokenizer } from '../../src/text/node/tokenizer-files.ts';
import { compareCheckpoint, compareLoadedWeights, compareRoundTrip } from '../../test/parity/checkpoints.ts';
import { TOLERANCES, type Tolerance, type Comparison, type Row } from '../../test/parity/comparison.ts';
import { batchOf, compareCase, isForwardCase } from '../../test/parity/forward.ts';
import { compareKeys } from '../../test/parity/keys.ts';
import { compareImages, compareSizes } from '../../test/parity/preprocessing.ts';
import { compareResultsCase, isResultsCase } from '../../test/parity/results-case.ts';
import { compareEncodings } from '../../test/parity/text.ts';
import { findReference, fixtureReference, ReferenceCase, sharedReference } from '../../test/support/reference-case.ts';

const tinyCheckpointFixture = fileURLToPath(new URL('../../test/fixtures/tiny-checkpoint', import.meta.url));
const given = process.argv[2];
const root = existsSync(join(sharedReference, 'cases')) ? sharedReference : fixtureReference;
const cases = given === undefined ? join(root, 'cases') : casesFolder(resolve(given));
/** Folder of the reference data: the cases, and keys, images and checkpoints beside them. */
const dataFolder = given === undefined ? root : dirname(cases);

function casesFolder(folder: string): string {
  if (!existsSync(folder)) {
    console.error(`parity: the folder ${folder} does not exist; name one with reference cases`);
    process.exit(2);
  }
  return existsSync(join(folder, 'cases')) ? join(folder, 'cases') : folder;
}

const beside = (name: string): string | undefined => {
  const path = join(dataFolder, name);
  return existsSync(path) ? path : undefined;
};

const started = performance.now();
const rows: Row[] = [];
const add = (...more: readonly Row[]): void => {
  for (const row of more) {
    rows.push(row);
    process.stderr.write(
      `${row.name}: ${[...row.cells.values()].every(({ passes }) => passes) ? 'ok' : 'outside its tolerance'}\n`,
    );
  }
};

const vocabulary = findReference('roberta')!;
const tokenizer = await loadTokenizer(vocabulary);
const skipped: string[] = [];
for (const name of readdirSync(cases).sort()) {
  const folder = join(cases, name);
  if (!existsSync(join(folder, 'manifest.json'))) continue;
  const reference = new ReferenceCase(folder);
  if (isResultsCase(reference)) add(compareResultsCase(name, reference));
  else if (isForwardCase(reference) && 'args' in reference.json) add(await compareCase(name, reference, tokenizer));
  else skipped.push(name);
}

const keys = beside('keys');
if (keys !== undefined)
  for (const file of readdirSync(keys).sort()) add(compareKeys(keys, file.replace(/\.json$/, '')));

const encodings = beside('tokenizer');
if (encodings !== undefined) add(...compareEncodings(encodings, tokenizer));
if (beside('preprocess') !== undefined) add(compareSizes(dataFolder));
if (beside('images') !== undefined) add(...(await compareImages(dataFolder)));

const checkpoints = beside('checkpoints');
if (checkpoints !== undefined && existsSync(join(checkpoints, 'tiny.pth'))) {
  add(await compareCheckpoint(checkpoints));
  const path = join(checkpoints, 'tiny.pth');
  add(await compareRoundTrip(path, vocabulary));
  const batch = batchOf(new ReferenceCase(join(cases, 'tiny')));
  add(...(await compareLoadedWeights(path, batch, new ReferenceCase(tinyCheckpointFixture))));
}

const show = ({ worst, tolerance, passes }: Comparison): string => {
  const text = tolerance.kind === 'count' ? String(worst) : worst === 0 ? '0' : worst.toExponential(1);
  return passes ? text : `${text} !`;
};

const kinds: Readonly<Record<Tolerance['kind'], string>> = { absolute: '', relative: ' of the largest', count: '' };
const columns = [...new Set(rows.flatMap((row) => [...row.cells.keys()]))];
const toleranceOf = (column: string): string => {
  const { limit, kind } = rows.flatMap((row) => row.cells.get(column) ?? [])[0]!.tolerance;
  return `${limit === 0 ? 'none' : `≤ ${limit.toPrecision(1)}`}${kinds[kind]}`;
};

/** Prints a group of rows as a table of the columns that they have. */
const print = (title: string, group: readonly Row[]): void => {
  if (group.length === 0) return;
  const used = columns.filter((column) => group.some((row) => row.cells.has(column)));
  const lines = [
    [title, ...used],
    ...group.map((row) => [
      row.name,
      ...used.map((column) => (row.cells.has(column) ? show(row.cells.get(column)!) : '')),
    ]),
  ];
  const widths = lines[0]!.map((_, column) => Math.max(...lines.map((line) => line[column]!.length)));
  const text = lines.map((line) =>
    line
      .map((cell, column) => cell.padEnd(widths[column]!))
      .join('  ')
      .trimEnd(),
  );
  console.log(`${text.join('\n')}\n`);
};

const isCaseRow = (row: Row): boolean => row.cells.has('boxes') || row.cells.has('results');
print('case', rows.filter(isCaseRow));
print(
  'data',
  rows.filter((row) => !isCaseRow(row)),
);
console.log(`Tolerances: ${columns.map((column) => `${column} ${toleranceOf(column)}`).join('; ')}.`);
console.log(`Mask pixels: the fraction that differs (tolerance ${TOLERANCES.flips.limit}).`);
if (skipped.length > 0)
  console.log(
    `Cases that are not of the forward pass, compared by the tests of losses and training: ${skipped.join(', ')}.`,
  );

const cells = rows.flatMap((row) => [...row.cells.values()]);
const outside = cells.filter(({ passes }) => !passes);
for (const { row, column, where } of outside) console.log(`Outside its tolerance: ${row}, ${column}, at ${where}`);
const seconds = ((performance.now() - started) / 1000).toFixed(0);
console.log(`${cells.length - outside.length} of ${cells.length} within their tolerances, in ${seconds} s`);
process.exitCode = outside.length === 0 && cells.length > 0 ? 0 : 1;

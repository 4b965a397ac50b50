import { existsSync, readdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { alignColumns } from '../src/evaluation/results-table.ts';
import { loadTokenizer } from '../src/text/tokenizer-files.ts';
import type { Row } from '../test/parity/comparison.ts';
import { compareCase, isForwardCase } from '../test/parity/forward.ts';
import { compareKeys } from '../test/parity/keys.ts';
import { comparePictures } from '../test/parity/pictures.ts';
import { ReferenceCase, sharedReference } from '../test/reference-case.ts';

/**
 * `npm run parity [-- DIR]`: the network and everything around it against the numbers of the official code, case by
 * case. DIR is a folder of cases; by default the shared reference data. Status 1 when a bar is exceeded.
 */
const argument = process.argv[2];
const reference = sharedReference;
const casesFolder = argument === undefined ? join(reference, 'cases') : resolve(argument);
if (!existsSync(casesFolder)) {
  process.stderr.write(`parity: there is no folder ${casesFolder}; name one with reference cases\n`);
  process.exit(1);
}

const tokenizer = await loadTokenizer('test/fixtures/reference/roberta');
const rows: Row[] = [];
for (const name of readdirSync(casesFolder).sort()) {
  const folder = join(casesFolder, name);
  if (!existsSync(join(folder, 'manifest.json'))) continue;
  const found = new ReferenceCase(folder);
  if (!isForwardCase(found)) continue;
  process.stderr.write(`${name} …\n`);
  rows.push(await compareCase(name, found, tokenizer));
}
if (argument === undefined) rows.push(...compareKeys(join(reference, 'keys')), ...(await comparePictures(reference)));

const cells = rows.flatMap((row) => [...row.cells.values()]);
const shown = (value: number): string => (value === 0 ? '0' : value.toExponential(1));
process.stdout.write(
  alignColumns([
    ['case', 'what', 'numbers', 'largest difference', 'bar', ''],
    ...cells.map((cell) => [
      cell.row,
      cell.column,
      String(cell.numbers),
      shown(cell.worst),
      `${cell.bar.limit} ${cell.bar.kind}`,
      cell.passes ? 'ok' : `FAILED at ${cell.where}`,
    ]),
  ]),
);
const failed = cells.filter((cell) => !cell.passes).length;
process.stdout.write(`\n${cells.length - failed} of ${cells.length} within their bars\n`);
process.exitCode = failed === 0 && cells.length > 0 ? 0 : 1;

import { existsSync, readdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Row } from '../../test/parity/comparison.ts';
import { printRows } from '../../test/parity/print-rows.ts';
import {
  compareOptimizer,
  compareSchedules,
  compareTraining,
  isOptimizerCase,
  isTrainingCase,
} from '../../test/parity/training.ts';
import { ReferenceCase, sharedReference } from '../../test/support/reference-case.ts';

/**
 * `npm run parity:train [-- DIR]`: matching, losses, gradients, optimizer steps, moving average and learning rates
 * compared with the official code. Gradients are given in units of their tolerance, 1e-3 relative plus 1e-6.
 */
const argument = process.argv[2];
const casesFolder = argument === undefined ? join(sharedReference, 'cases') : resolve(argument);
if (!existsSync(casesFolder)) {
  process.stderr.write(`parity:train: the folder ${casesFolder} does not exist; name one with reference cases\n`);
  process.exit(1);
}
const rows: Row[] = [];
for (const name of readdirSync(casesFolder).sort()) {
  const folder = join(casesFolder, name);
  if (!existsSync(join(folder, 'manifest.json'))) continue;
  const reference = new ReferenceCase(folder);
  process.stderr.write(`${name} …\n`);
  if (isOptimizerCase(reference))
    rows.push(await compareOptimizer(name, reference, new ReferenceCase(join(casesFolder, 'tiny'))));
  else if (isTrainingCase(reference) && existsSync(join(folder, 'grads.json')))
    rows.push(await compareTraining(name, reference));
}
const curves = join(sharedReference, 'schedules/lr_curves.json');
if (argument === undefined && existsSync(curves)) rows.push(compareSchedules(curves));
process.exitCode = printRows(rows) ? 0 : 1;

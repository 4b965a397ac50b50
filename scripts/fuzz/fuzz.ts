import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { fuzz, reportText } from '../../test/fuzz/fuzz.ts';
import { makeInput } from '../../test/fuzz/inputs.ts';
import { READERS } from '../../test/fuzz/readers.ts';

/*
 * npm run fuzz -- [--inputs N | --seconds S] [--seed K] [--reader NAME] [--out FOLDER]
 *
 * Reads mutated inputs with every reader of files from outside. Inputs with a fault are written to the folder, by default
 * `scratch/fuzz`; after the fix they become fixtures in `test/fixtures/fuzz/READER/`.
 */
const { values } = parseArgs({
  options: {
    inputs: { type: 'string' },
    seconds: { type: 'string' },
    seed: { type: 'string', default: '1' },
    reader: { type: 'string' },
    out: { type: 'string', default: 'scratch/fuzz' },
  },
});

const numberOf = (name: string, text: string): number => {
  const number = Number(text);
  if (!Number.isSafeInteger(number) || number < 0) throw new Error(`--${name} must be an integer, got "${text}"`);
  return number;
};

const seed = numberOf('seed', values.seed);
const seconds = values.seconds === undefined ? undefined : numberOf('seconds', values.seconds);
const inputs = values.inputs === undefined ? (seconds === undefined ? 10_000 : 1e9) : numberOf('inputs', values.inputs);
const names = READERS.map(({ name }) => name);
const { reader } = values;
if (reader !== undefined && !names.includes(reader)) throw new Error(`--reader must be one of ${names.join(', ')}`);

const report = await fuzz({ seed, seconds, inputs, readers: reader === undefined ? names : [reader] });
for (const fault of report.faults) {
  const { kind, message, index } = fault;
  const seeds = await READERS.find(({ name }) => name === fault.reader)!.seeds();
  const folder = join(values.out, fault.reader);
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, `${seed}-${index}`), makeInput(seeds, { seed, reader: fault.reader, index }));
  process.stdout.write(`${fault.reader} ${index}: ${kind!}: ${message ?? ''}\n`);
}
process.stdout.write(`${reportText(report)}\n`);
const poor = [...report.readers].filter(([, { inputs: all, accepted }]) => accepted < all / 100);
for (const [name] of poor) process.stdout.write(`${name}: accepts less than 1 % of its inputs\n`);
process.exitCode = report.faults.length > 0 || poor.length > 0 ? 1 : 0;

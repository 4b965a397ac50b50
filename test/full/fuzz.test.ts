import { expect, it } from 'vitest';
import { fuzz, reportText } from '../fuzz/fuzz.ts';
import { READERS } from '../fuzz/readers.ts';

/** Inputs of all readers together. `.ci/run` asks for fewer, by `MDETR_FUZZ_INPUTS`. */
const INPUTS = Number(process.env['MDETR_FUZZ_INPUTS'] ?? 100_000);

it(`every reader withstands its part of ${INPUTS} mutated inputs`, { timeout: 3_600_000 }, async () => {
  const report = await fuzz({ seed: 1, readers: READERS.map(({ name }) => name), inputs: INPUTS });
  process.stderr.write(`${reportText(report)}\n`);
  expect(report.faults).toEqual([]);
  for (const [name, { inputs, accepted }] of report.readers) {
    expect(inputs, name).toBeGreaterThanOrEqual(0.03 * INPUTS);
    expect(accepted, name).toBeGreaterThanOrEqual(inputs / 100);
  }
});

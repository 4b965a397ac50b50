import { expect, it } from 'vitest';
import { fuzz, reportText } from '../fuzz/fuzz.ts';
import { READERS } from '../fuzz/readers.ts';

it('every reader withstands 100,000 mutated inputs', { timeout: 3_600_000 }, async () => {
  const report = await fuzz({ seed: 1, readers: READERS.map(({ name }) => name), inputs: 100_000 });
  process.stderr.write(`${reportText(report)}\n`);
  expect(report.faults).toEqual([]);
  for (const [name, { inputs, accepted }] of report.readers) {
    expect(inputs, name).toBeGreaterThanOrEqual(3000);
    expect(accepted, name).toBeGreaterThanOrEqual(inputs / 100);
  }
});

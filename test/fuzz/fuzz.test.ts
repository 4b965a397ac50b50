import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { fuzz, reportText } from './fuzz.ts';
import { InputRunner } from './inputs.ts';
import { PLANTED_READERS } from './planted.ts';
import { READERS } from './readers.ts';

const fixtures = new URL('../fixtures/fuzz/', import.meta.url);

describe('the fuzzer', () => {
  const faults = PLANTED_READERS.map(({ name }) => name).filter((name) => name !== 'planted refusal');
  it.each(faults)('finds a %s', async (reader) => {
    const report = await fuzz({ seed: 1, readers: [reader], inputs: 3 });
    expect(report.faults.map(({ kind }) => `planted ${kind!}`)).toEqual(
      // A changed prototype stays changed.
      reader === 'planted changed prototype' ? [reader, reader] : [reader],
    );
    expect(report.inputs).toBe(3);
  });

  it('counts refusals', async () => {
    const report = await fuzz({ seed: 1, readers: ['planted refusal'], inputs: 10 });
    expect(report.faults).toEqual([]);
    expect(report.readers.get('planted refusal')).toMatchObject({ inputs: 10, accepted: 0, refused: 10 });
  });

  it('has ten seeds for each reader, which are accepted', async () => {
    const runner = new InputRunner();
    for (const reader of READERS) {
      const seeds = await reader.seeds();
      expect(seeds.length, reader.name).toBeGreaterThanOrEqual(10);
      const accepted = [];
      for (const [i, bytes] of seeds.entries()) accepted.push((await runner.run(reader, bytes, i)).status);
      expect(accepted.filter((status) => status === 'accepted').length, reader.name).toBeGreaterThanOrEqual(8);
    }
    runner.dispose();
  });
});

describe('every reader', () => {
  it('withstands the inputs that were found before', async () => {
    const runner = new InputRunner();
    for (const reader of READERS) {
      const folder = new URL(`${reader.name}/`, fixtures);
      if (!existsSync(folder)) continue;
      for (const name of readdirSync(folder)) {
        const { status, message } = await runner.run(reader, readFileSync(new URL(name, folder)), 0);
        expect(status, `${reader.name}/${name}: ${message ?? ''}`).not.toBe('fault');
      }
    }
    runner.dispose();
  });

  it('withstands 2,000 mutated inputs', { timeout: 180_000 }, async () => {
    const report = await fuzz({ seed: 20_261_126, readers: READERS.map(({ name }) => name), inputs: 2000 });
    expect(report.faults).toEqual([]);
    for (const [name, { inputs, accepted }] of report.readers)
      expect(accepted, `${name}: ${reportText(report)}`).toBeGreaterThanOrEqual(inputs / 100);
    expect(report.inputs).toBe(2000);
  });
});

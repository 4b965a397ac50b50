import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BatchSampler, type SamplerOptions } from './batch-sampler.ts';
import { MixedDataset } from './mixed-dataset.ts';

const sourceOf = (length: number) => ({
  length,
  sizeOf: (row: number) => ({ width: 100 + ((row * 37) % 400), height: 300 }),
});
const datasetOf = (...lengths: number[]) =>
  new MixedDataset(lengths.map((length, i) => ({ name: `part ${i}`, source: sourceOf(length) })));
const training: SamplerOptions = { batchSize: 4, seed: 42, shuffle: true, dropLast: true };
const allRows = (sampler: BatchSampler, epoch: number): number[] =>
  [...sampler.batches({ epoch, batch: 0 })].flatMap((rows) => [...rows]);

describe('MixedDataset', () => {
  it('finds the dataset and row of every index', () => {
    const dataset = datasetOf(3, 1, 2);
    const found = Array.from({ length: dataset.length }, (_, i) => dataset.locate(i));
    expect(found.map(({ part, row }) => `${part.name}:${row}`)).toEqual([
      'part 0:0',
      'part 0:1',
      'part 0:2',
      'part 1:0',
      'part 2:0',
      'part 2:1',
    ]);
    expect(() => dataset.locate(6)).toThrow('internal');
  });

  it('refuses empty datasets', () => {
    expect(() => new MixedDataset([])).toThrow('no dataset');
    expect(() => datasetOf(3, 0)).toThrow('"part 1" has no rows');
  });
});

describe('BatchSampler', () => {
  it('covers every row once per epoch, in another order each time', () => {
    const sampler = new BatchSampler(datasetOf(30, 10), training);
    const [first, second] = [allRows(sampler, 0), allRows(sampler, 1)];
    expect(first.toSorted((a, b) => a - b)).toEqual([...Array(40).keys()]);
    expect(second.toSorted((a, b) => a - b)).toEqual([...Array(40).keys()]);
    expect(second).not.toEqual(first);
    expect(allRows(new BatchSampler(datasetOf(30, 10), training), 1)).toEqual(second);
    expect(allRows(new BatchSampler(datasetOf(30, 10), { ...training, seed: 43 }), 1)).not.toEqual(second);
  });

  it('keeps the file order for evaluation, and the incomplete last batch', () => {
    const sampler = new BatchSampler(datasetOf(10), { batchSize: 4, seed: 0, shuffle: false, dropLast: false });
    expect([...sampler.batches({ epoch: 3, batch: 0 })].map((rows) => [...rows])).toEqual([
      [0, 1, 2, 3],
      [4, 5, 6, 7],
      [8, 9],
    ]);
  });

  // Numbers of PyTorch's DistributedSampler(range(10), num_replicas=4, shuffle=False) with drop_last False and True.
  it.each([
    [
      'pad',
      [
        [0, 4, 8],
        [1, 5, 9],
        [2, 6, 0],
        [3, 7, 1],
      ],
    ],
    [
      'drop',
      [
        [0, 4],
        [1, 5],
        [2, 6],
        [3, 7],
      ],
    ],
  ] as const)('shards as DistributedSampler (%s)', (uneven, shares) => {
    const fractionOf = (rank: number): number[] =>
      allRows(
        new BatchSampler(datasetOf(10), {
          batchSize: 1,
          seed: 0,
          shuffle: false,
          dropLast: false,
          rank,
          worldSize: 4,
          uneven,
        }),
        0,
      );
    expect([0, 1, 2, 3].map(fractionOf)).toEqual(shares);
  });

  it('splits epochs into chunks like torch.chunk', () => {
    const sampler = new BatchSampler(datasetOf(10), { ...training, batchSize: 1, epochChunks: 4 });
    const chunks = [0, 1, 2, 3, 4].map((epoch) => allRows(sampler, epoch).toSorted((a, b) => a - b));
    expect(chunks).toEqual([[0, 1, 2], [3, 4, 5], [6, 7, 8], [9], [0, 1, 2]]);
    // torch.chunk(torch.arange(6), 4) gives three chunks of two.
    const fewer = new BatchSampler(datasetOf(6), { ...training, batchSize: 1, epochChunks: 4 });
    expect(allRows(fewer, 3).toSorted((a, b) => a - b)).toEqual([0, 1]);
  });

  it('gives all processes the same number of batches and resumes anywhere, for all options', () => {
    const options = fc.record({
      batchSize: fc.integer({ min: 1, max: 5 }),
      seed: fc.nat(),
      shuffle: fc.boolean(),
      dropLast: fc.boolean(),
      worldSize: fc.integer({ min: 1, max: 4 }),
      uneven: fc.constantFrom('pad' as const, 'drop' as const),
      epochChunks: fc.constantFrom(-1, 0, 2),
      shapeWindow: fc.constantFrom(0, 3),
    });
    fc.assert(
      fc.property(fc.integer({ min: 40, max: 80 }), options, fc.nat(3), (rows, made, epoch) => {
        const samplers = Array.from(
          { length: made.worldSize },
          (_, rank) => new BatchSampler(datasetOf(rows), { ...made, rank }),
        );
        const count = samplers[0]!.batchesIn(epoch);
        const seen = new Map<number, number>();
        for (const sampler of samplers) {
          const all = [...sampler.batches({ epoch, batch: 0 })];
          expect(all).toHaveLength(count);
          for (const [batch, drawn] of all.entries()) {
            if (made.dropLast || batch < count - 1) expect(drawn).toHaveLength(made.batchSize);
            for (const row of drawn) seen.set(row, (seen.get(row) ?? 0) + 1);
          }
          const middle = Math.floor(count / 2);
          const resumed = new BatchSampler(datasetOf(rows), { ...made, rank: samplers.indexOf(sampler) });
          expect([...resumed.batches({ epoch, batch: middle })]).toEqual(all.slice(middle));
        }
        // Padding repeats a row at most once; without it no row comes twice.
        expect(Math.max(...seen.values())).toBeLessThanOrEqual(made.uneven === 'pad' ? 2 : 1);
      }),
      { numRuns: 60 },
    );
  });

  it('makes batches of similar shapes with `shapeWindow`, of the same rows', () => {
    const dataset = datasetOf(2000);
    const spreadOf = (shapeWindow: number): number => {
      const sampler = new BatchSampler(dataset, { ...training, batchSize: 8, shapeWindow });
      expect(allRows(sampler, 0).toSorted((a, b) => a - b)).toEqual([...Array(2000).keys()]);
      const spreads = [...sampler.batches({ epoch: 0, batch: 0 })].map((rows) => {
        const ratios = [...rows].map((row) => dataset.aspectRatioOf(row));
        return Math.max(...ratios) - Math.min(...ratios);
      });
      return spreads.reduce((sum, spread) => sum + spread, 0) / spreads.length;
    };
    expect(spreadOf(50)).toBeLessThan(spreadOf(0) / 10);
  });

  it('refuses options that give no batch', () => {
    expect(() => new BatchSampler(datasetOf(3), training)).toThrow('3 rows make no full batch of 4');
    expect(() => new BatchSampler(datasetOf(3), { ...training, batchSize: 0 })).toThrow('batch size');
    expect(() => new BatchSampler(datasetOf(9), { ...training, rank: 2, worldSize: 2 })).toThrow('rank 2');
  });
});

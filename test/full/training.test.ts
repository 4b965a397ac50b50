import { describe, expect, it } from 'vitest';
import { compareOptimizer, compareTraining } from '../parity/training.ts';
import { hasCase, loadCase } from '../support/reference-case.ts';

const cases = [
  'tiny',
  'tiny-dc5',
  'tiny-learned',
  'tiny-contrastive',
  'tiny-final',
  'tiny-gqa',
  'tiny-clevr',
  'tiny-nodetection',
  'tiny-smallconv',
  'tiny-smallconv-frozen',
];

describe('a training step gives the losses and gradients of the official code (needs ../shared/reference)', () => {
  it.skipIf(!hasCase('tiny')).each(cases)('%s', async (name) => {
    const { cells } = await compareTraining(name, loadCase(name));
    expect(cells.size).toBeGreaterThan(1);
    for (const cell of cells.values())
      expect(cell.worst, `${cell.column} at ${cell.where}`).toBeLessThanOrEqual(cell.tolerance.limit);
  });
  it.skipIf(!hasCase('tiny')).each(['tiny-optim', 'tiny-optim-warmup', 'tiny-optim-sgd'])(
    '%s: parameters, moving average and rates',
    async (name) => {
      const { cells } = await compareOptimizer(name, loadCase(name), loadCase('tiny'));
      for (const column of ['params', 'ema', 'rates', 'norm']) expect(cells.get(column)!.count).toBeGreaterThan(0);
      for (const cell of cells.values())
        expect(cell.worst, `${cell.column} at ${cell.where}`).toBeLessThanOrEqual(cell.tolerance.limit);
    },
  );
});

import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { loadTokenizer } from '../../src/text/node/tokenizer-files.ts';
import { compareCase } from '../parity/forward.ts';
import { hasCase, loadCase, fixtureReference } from '../support/reference-case.ts';

describe('the network at official size (ResNet-101, RoBERTa-base)', () => {
  it.skipIf(!hasCase('r101'))(
    'gives the numbers of the official code (needs ../shared/reference)',
    async () => {
      const tokenizer = await loadTokenizer(join(fixtureReference, 'roberta'));
      const row = await compareCase('r101', loadCase('r101'), tokenizer);
      const cells = [...row.cells.values()];
      expect(cells.length).toBeGreaterThan(5);
      for (const cell of cells)
        expect(cell.worst, `${cell.column} at ${cell.where}`).toBeLessThanOrEqual(cell.tolerance.limit);
    },
    600_000,
  );
});

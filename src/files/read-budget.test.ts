import { afterEach, expect, it, vi } from 'vitest';
import { MdetrError } from '../errors.ts';
import { ReadBudget } from './read-budget.ts';

afterEach(() => {
  vi.unstubAllEnvs();
});

const budgetOf = (fileBytes: number): ReadBudget => new ReadBudget({ name: 'a.pth', fileBytes, what: 'its tensors' });

it('follows from the size of the file, with a floor for small files', () => {
  const small = budgetOf(6000);
  small.charge(60 * 2 ** 20);
  expect(() => small.charge(5 * 2 ** 20)).toThrow(
    new MdetrError(
      'a.pth: refused, its tensors take more than 64 MB in a file of 6000 bytes. If you trust the file, raise the limit with MDETR_READ_LIMIT_MB',
    ),
  );
  const large = budgetOf(2 ** 30);
  large.charge(4 * 2 ** 30);
  expect(() => large.charge(1)).toThrow(MdetrError);
});

it('is replaced by the limit of the user', () => {
  vi.stubEnv('MDETR_READ_LIMIT_MB', '1000');
  budgetOf(10).charge(1000 * 2 ** 20);
  vi.stubEnv('MDETR_READ_LIMIT_MB', '1');
  expect(() => budgetOf(2 ** 30).charge(2 ** 21)).toThrow(/more than 1 MB/);
  vi.stubEnv('MDETR_READ_LIMIT_MB', 'plenty');
  expect(() => budgetOf(10)).toThrow('MDETR_READ_LIMIT_MB must be a number of megabytes, got "plenty"');
});

import { expect, it } from 'vitest';
import { formatBytes, formatTable } from './table.ts';

it('aligns columns by characters, without trailing spaces', () => {
  const columns = [{ title: 'score', align: 'right' }, { title: 'phrase' }, { title: 'n' }] as const;
  expect(
    formatTable(
      columns,
      [
        ['0.9', 'a 🧥', '1'],
        ['10.25', 'dog', ''],
      ],
      ' ',
    ),
  ).toBe(' score  phrase  n\n   0.9  a 🧥     1\n 10.25  dog\n');
});

it('omits a line of empty titles', () => {
  expect(formatTable([{ title: '' }, { title: '' }], [['format', 'zip']])).toBe('format  zip\n');
});

it.each([
  [0, '0 B'],
  [999, '999 B'],
  [1000, '1.0 kB'],
  [70_193_251, '70.2 MB'],
  [3e15, '3000.0 TB'],
])('formats %d bytes as %s', (bytes, text) => {
  expect(formatBytes(bytes)).toBe(text);
});

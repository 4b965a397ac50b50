export interface Column {
  readonly title: string;
  readonly align?: 'left' | 'right';
}

const lengthOf = (text: string): number => Array.from(text).length;

/** Rows under their titles, columns aligned, two spaces between; no spaces at the ends of lines. */
export const formatTable = (columns: readonly Column[], rows: readonly (readonly string[])[], indent = ''): string => {
  const titles = columns.map(({ title }) => title);
  const lines = titles.some((title) => title !== '') ? [titles, ...rows] : rows;
  const widths = columns.map((_, column) => Math.max(...lines.map((cells) => lengthOf(cells[column] ?? ''))));
  return lines
    .map((cells) => {
      const padded = columns.map(({ align }, column) => {
        const text = cells[column] ?? '';
        const space = ' '.repeat(widths[column]! - lengthOf(text));
        return align === 'right' ? space + text : text + space;
      });
      return `${indent}${padded.join('  ')}`.trimEnd() + '\n';
    })
    .join('');
};

const units = ['B', 'kB', 'MB', 'GB', 'TB'];

/** 70193251 → `70.2 MB`. */
export const formatBytes = (bytes: number): string => {
  const power = bytes < 1 ? 0 : Math.min(Math.floor(Math.log10(bytes) / 3), units.length - 1);
  return `${power === 0 ? bytes : (bytes / 1000 ** power).toFixed(1)} ${units[power]!}`;
};

/** 185382724 → `185,382,724`. */
export const formatCount = (count: number): string => count.toLocaleString('en-US');

/** Title and alignment of a column. */
export interface Column {
  readonly title: string;
  readonly align?: 'left' | 'right';
}

const lengthOf = (text: string): number => Array.from(text).length;

/** Formats rows under their titles, with aligned columns and two spaces between them. Lines have no trailing spaces. */
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

const UNITS = ['B', 'kB', 'MB', 'GB', 'TB'];

/** Formats a size in decimal units: 70193251 becomes `70.2 MB`. */
export const formatBytes = (bytes: number): string => {
  const power = bytes < 1 ? 0 : Math.min(Math.floor(Math.log10(bytes) / 3), UNITS.length - 1);
  return `${power === 0 ? bytes : (bytes / 1000 ** power).toFixed(1)} ${UNITS[power]!}`;
};

/** Formats a count with thousands separators: 185382724 becomes `185,382,724`. */
export const formatCount = (count: number): string => count.toLocaleString('en-US');

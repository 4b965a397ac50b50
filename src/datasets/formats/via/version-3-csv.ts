import { MdetrError } from '../../../errors.ts';
import { BadRowError, type BadRows } from '../../source/bad-rows.ts';
import { parseCsv, type CsvTable } from '../csv/table.ts';
import { parsedField } from './json-field.ts';

const HEADER = /^#\s*CSV_HEADER\s*=\s*(.+)$/m;
const ATTRIBUTES = /^#\s*ATTRIBUTE\s*=\s*(\{.*\})\s*$/m;

/** Whether the beginning of a file is that of VIA 3's CSV export, whose header stands in a comment. */
export const isVia3Csv = (head: string): boolean => HEADER.exec(head)?.[1]?.includes('spatial_coordinates') === true;

/**
 * Contents of VIA 3's CSV export in the form of its project file. Attributes are known by name if the file has a comment
 * `# ATTRIBUTE = {…}`.
 *
 * @throws {MdetrError} naming file and line of a row that cannot be read, unless such rows are skipped
 */
export const projectOfVia3Csv = (text: string, path: string, badRows: BadRows): Readonly<Record<string, unknown>> => {
  const header = HEADER.exec(text)![1]!
    .split(',')
    .map((name) => name.trim());
  const column = (name: string): number => {
    const index = header.indexOf(name);
    if (index < 0) throw new MdetrError(`${path}: CSV_HEADER has no column ${name}`);
    return index;
  };
  const [files, shape, attributes] = [column('file_list'), column('spatial_coordinates'), column('metadata')];
  const file: Record<string, unknown> = {};
  const view: Record<string, unknown> = {};
  const metadata: Record<string, unknown> = {};
  const idOf = new Map<string, string>();
  const readRow = ({ values, line }: CsvTable['rows'][number]): void => {
    const location = `${path}: line ${line}`;
    const list = parsedField(values[files] ?? '', `${location}: file_list`);
    const name: unknown = Array.isArray(list) ? list[0] : list;
    if (typeof name !== 'string' || name === '') throw new BadRowError(`${location}: file_list names no image`);
    const id = idOf.get(name) ?? String(idOf.size + 1);
    idOf.set(name, id);
    file[id] = { fname: name };
    view[id] = { fid_list: [id] };
    metadata[`line ${line}`] = {
      vid: id,
      xy: parsedField(values[shape] ?? '[]', `${location}: spatial_coordinates`),
      av: parsedField(values[attributes] ?? '{}', `${location}: metadata`),
    };
  };
  for (const row of parseCsv(text, path).rows) badRows.attempt(() => readRow(row));
  const stated = ATTRIBUTES.exec(text)?.[1];
  return {
    attribute: stated === undefined ? {} : parsedField(stated, `${path}: ATTRIBUTE`),
    file,
    view,
    metadata,
  };
};

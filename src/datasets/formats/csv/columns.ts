import { isImageFile } from '../../import/image-names.ts';
import { numberOfText } from '../field-numbers.ts';
import type { CsvTable } from './table.ts';

/** Columns of a table of boxes; indices from 0. */
export interface BoxColumns {
  readonly image: number;
  readonly label: number | undefined;
  readonly split: number | undefined;
  readonly width: number | undefined;
  readonly height: number | undefined;
  readonly box: BoxForm;
  /** Number of rows of the header. */
  readonly headerRows: 0 | 1;
}

/** How a row states its box. */
export type BoxForm =
  /** Corners x0, y0, x1, y1. */
  | { readonly kind: 'corners'; readonly columns: readonly [number, number, number, number] }
  /** Corner and size x, y, width, height. */
  | { readonly kind: 'sizes'; readonly columns: readonly [number, number, number, number] }
  /** Center and size cx, cy, width, height. */
  | { readonly kind: 'centers'; readonly columns: readonly [number, number, number, number] }
  /** One column with a list `[x, y, width, height]`. */
  | { readonly kind: 'list'; readonly column: number }
  /** One column with an outline in well-known text, as `POLYGON ((x y, x y, …))`. */
  | { readonly kind: 'outline'; readonly column: number }
  /** Vertices x, y, x, y, …, of which some may be empty, as Google's AutoML writes them. */
  | { readonly kind: 'vertices'; readonly columns: readonly number[] };

/** Meanings of a column, by the spellings of headers in lower case without blanks, underscores and hyphens. */
const HEADERS: Readonly<Record<string, readonly string[]>> = {
  image: [
    'filename',
    'file',
    'image',
    'imagename',
    'imagepath',
    'path',
    'imageid',
    'img',
    'imgname',
    'imgpath',
    'imagefilename',
    'filepath',
    'name',
    'frame',
    'imgid',
    'imageurl',
    'externalid',
    'picture',
  ],
  label: [
    'class',
    'label',
    'labelname',
    'classname',
    'category',
    'categoryname',
    'object',
    'name',
    'objectclass',
    'type',
    'species',
    'annotation',
    'labels',
    'classes',
    'target',
    'cls',
    'classid',
    'labelid',
  ],
  split: ['split', 'set', 'subset', 'mluse', 'partition', 'usage', 'imageset'],
  x0: [
    'xmin',
    'x1',
    'x0',
    'left',
    'boxxmin',
    'bboxxmin',
    'minx',
    'xleft',
    'xtl',
    'bboxx1',
    'topleftx',
    'xstart',
    'bbox0',
  ],
  y0: [
    'ymin',
    'y1',
    'y0',
    'top',
    'boxymin',
    'bboxymin',
    'miny',
    'ytop',
    'ytl',
    'bboxy1',
    'toplefty',
    'ystart',
    'bbox1',
  ],
  x1: [
    'xmax',
    'x2',
    'right',
    'boxxmax',
    'bboxxmax',
    'maxx',
    'xright',
    'xbr',
    'bboxx2',
    'bottomrightx',
    'xend',
    'bbox2',
  ],
  y1: [
    'ymax',
    'y2',
    'bottom',
    'boxymax',
    'bboxymax',
    'maxy',
    'ybottom',
    'ybr',
    'bboxy2',
    'bottomrighty',
    'yend',
    'bbox3',
  ],
  x: ['x', 'bboxx', 'boxx', 'bx', 'xcorner', 'bboxleft'],
  y: ['y', 'bboxy', 'boxy', 'by', 'ycorner', 'bboxtop'],
  cx: ['xcenter', 'cx', 'centerx', 'xc', 'xcentre', 'centrex', 'xmid', 'bboxxcenter'],
  cy: ['ycenter', 'cy', 'centery', 'yc', 'ycentre', 'centrey', 'ymid', 'bboxycenter'],
  w: ['w', 'bboxwidth', 'bboxw', 'boxwidth', 'bw', 'boxw', 'objectwidth'],
  h: ['h', 'bboxheight', 'bboxh', 'boxheight', 'bh', 'boxh', 'objectheight'],
  width: ['width', 'imagewidth', 'imgwidth', 'imagew', 'imgw'],
  height: ['height', 'imageheight', 'imgheight', 'imageh', 'imgh'],
  list: ['bbox', 'box', 'boundingbox', 'bboxes', 'coordinates'],
  outline: ['geometry', 'wkt', 'polygonwkt', 'polygonwktpix', 'polygon'],
};

/** Rows that are looked at to find the columns of a table without header. */
const SAMPLE_ROWS = 500;

/** Columns of a table of boxes; undefined if it has none. */
export const boxColumnsOf = (table: CsvTable): BoxColumns | undefined =>
  columnsByHeader(table) ?? columnsByContent(table);

const columnsByHeader = ({ rows }: CsvTable): BoxColumns | undefined => {
  const header = (rows[0]?.values ?? []).map((name) => name.toLowerCase().replace(/[^a-z0-9]/g, ''));
  if (header.some((name) => numberOfText(name) !== undefined)) return undefined;
  const taken = new Set<number>();
  const find = (meaning: string): number | undefined => {
    for (const spelling of HEADERS[meaning]!) {
      const index = header.findIndex((name, i) => name === spelling && !taken.has(i));
      if (index >= 0) {
        taken.add(index);
        return index;
      }
    }
    return undefined;
  };
  const all = (...meanings: string[]): [number, number, number, number] | undefined => {
    const before = new Set(taken);
    const found = meanings.map(find);
    if (found.every((index) => index !== undefined)) return found as [number, number, number, number];
    taken.clear();
    for (const index of before) taken.add(index);
    return undefined;
  };
  const corners = all('x0', 'y0', 'x1', 'y1');
  const centers = corners === undefined ? (all('cx', 'cy', 'w', 'h') ?? all('cx', 'cy', 'width', 'height')) : undefined;
  const sizes =
    (corners ?? centers) === undefined
      ? (all('x', 'y', 'w', 'h') ??
        all('x', 'y', 'width', 'height') ??
        all('x0', 'y0', 'w', 'h') ??
        all('x0', 'y0', 'width', 'height'))
      : undefined;
  const list = (corners ?? centers ?? sizes) === undefined ? find('list') : undefined;
  const outline = (corners ?? centers ?? sizes ?? list) === undefined ? find('outline') : undefined;
  const isOutline = (column: number): boolean =>
    rows.slice(1, SAMPLE_ROWS).every(({ values }) => /^\s*((multi)?polygon\b.*)?$/i.test(values[column] ?? ''));
  const box: BoxForm | undefined =
    corners !== undefined
      ? { kind: 'corners', columns: corners }
      : centers !== undefined
        ? { kind: 'centers', columns: centers }
        : sizes !== undefined
          ? { kind: 'sizes', columns: sizes }
          : list !== undefined
            ? { kind: 'list', column: list }
            : outline !== undefined && isOutline(outline)
              ? { kind: 'outline', column: outline }
              : undefined;
  const image = find('image');
  if (box === undefined || image === undefined) return undefined;
  // Of a class number and a class name (`class,name` of YOLO's results) the name counts.
  const isNumbered = (column: number): boolean =>
    rows.slice(1, SAMPLE_ROWS).every(({ values }) => /^\d*$/.test(values[column] ?? ''));
  const first = find('label');
  const second = first !== undefined && isNumbered(first) ? find('label') : undefined;
  return {
    image,
    label: second !== undefined && !isNumbered(second) ? second : first,
    split: find('split'),
    width: find('width'),
    height: find('height'),
    box,
    headerRows: 1,
  };
};

/** Columns of a table without header, by what they hold: an image, a label, four numbers. */
const columnsByContent = ({ rows }: CsvTable): BoxColumns | undefined => {
  const sample = rows.slice(0, SAMPLE_ROWS).map(({ values }) => values);
  const count = Math.max(0, ...sample.map((values) => values.length));
  const columns = Array.from({ length: count }, (_, i) => sample.map((values) => values[i] ?? ''));
  const share = (column: readonly string[], test: (value: string) => boolean): number => {
    const filled = column.filter((value) => value !== '');
    return filled.length === 0 ? 0 : filled.filter(test).length / filled.length;
  };
  const image = columns.findIndex((column) => share(column, looksLikeImage) > 0.9);
  if (image < 0) return undefined;
  const isNumber = columns.map((column) => share(column, (value) => numberOfText(value) !== undefined) === 1);
  const isEmpty = columns.map((column) => column.every((value) => value === ''));
  const split = columns.findIndex(
    (column, i) =>
      i !== image &&
      share(column, (value) => /^(train|training|validat(e|ion)|val|valid|test|unassigned)$/i.test(value)) === 1,
  );
  // The longest run of columns with numbers, or with nothing as in AutoML's x0,y0,,,x1,y1,,.
  let run: number[] = [];
  for (let i = 0; i < count; i++) {
    if (!isNumber[i]) continue;
    const own = [i];
    for (let j = i + 1; j < count && (isNumber[j]! || isEmpty[j]!); j++) own.push(j);
    if (own.filter((j) => isNumber[j]).length > run.filter((j) => isNumber[j]).length) run = own;
  }
  const numbers = run.filter((j) => isNumber[j]);
  const rest = columns
    .map((_, i) => i)
    .filter((i) => i !== image && i !== split && !numbers.includes(i) && !isEmpty[i])
    // Texts before numbers, such as the index that pandas writes first.
    .sort((a, b) => Number(isNumber[a]) - Number(isNumber[b]) || a - b);
  const base = { image, split: split < 0 ? undefined : split, headerRows: 0 as const };
  const vertices = run.length >= 8 && run.length % 2 === 0;
  if (vertices || run.some((j) => isEmpty[j])) {
    const end = run.length - (run.length % 2);
    if (numbers.length < 4) return undefined;
    return {
      ...base,
      label: rest[0],
      width: undefined,
      height: undefined,
      box: { kind: 'vertices', columns: run.slice(0, end) },
    };
  }
  if (numbers.length < 4) return undefined;
  const four = numbers.slice(0, 4) as [number, number, number, number];
  const isOrdered = sample.every((values) => {
    const [a, b, c, d] = four.map((i) => numberOfText(values[i] ?? ''));
    return a === undefined || (c! >= a && d! >= b!);
  });
  // Width and height of the image may follow the box, as in makesense.ai's rows: label, box, image, width, height.
  const others = columns.map((_, i) => i).filter((i) => isNumber[i] && !four.includes(i));
  const after = others.filter((i) => i > image);
  const [width, height] = after.length === 2 ? after : [];
  const isMakesense = width !== undefined && rest[0] === 0;
  const numericLabel = others.find((i) => i !== width && i !== height);
  return {
    ...base,
    label: rest[0] ?? numericLabel,
    width,
    height,
    box: { kind: isOrdered && !isMakesense ? 'corners' : 'sizes', columns: four },
  };
};

const looksLikeImage = (value: string): boolean =>
  isImageFile(value.replace(/[?#].*$/, '')) || /^(gs|s3|https?):\/\/\S+$/i.test(value);

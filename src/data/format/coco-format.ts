import type { BoxXywh } from '../../geometry/boxes.ts';
import { codePointLength } from '../../text/spans/code-points.ts';

/**
 * The official COCO-like annotation format: one row of `images[]` is one text about one image, its boxes stand in
 * `annotations[]`. Names are those of the files. Fields that this package does not know are kept and handed on.
 */

/** Half-open range [begin, end) of a caption, counted in Unicode code points as the official files do. */
export type Span = readonly [begin: number, end: number];

/** COCO masks: polygons [x0, y0, x1, y1, …], or a run-length mask (compressed string or plain counts). */
export type Segmentation =
  readonly (readonly number[])[] | { readonly size: readonly [number, number]; readonly counts: string | number[] };

export interface CocoImage {
  readonly id: number;
  readonly file_name: string;
  /** In pixels; 0 where the file does not tell. */
  readonly width: number;
  readonly height: number;
  readonly caption?: string;
  readonly dataset_name?: string;
  /** Which image folder the file is in, where a file mixes several (`coco`, `vg`). */
  readonly data_source?: string;
  readonly original_id?: number | string;
  readonly tokens_negative?: readonly Span[];
  /** Flickr30k: the phrases to be found, each with its spans. */
  readonly tokens_positive_eval?: readonly (readonly Span[])[];
  readonly [extra: string]: unknown;
}

export interface CocoAnnotation {
  readonly id?: number;
  readonly image_id: number;
  readonly bbox: BoxXywh;
  readonly area?: number;
  readonly iscrowd?: number;
  readonly category_id?: number;
  /** The words that mean this box. `tokens` is the older name and wins where both stand. */
  readonly tokens_positive?: readonly Span[];
  readonly tokens?: readonly Span[];
  readonly isfinal?: number | boolean;
  readonly segmentation?: Segmentation;
  readonly [extra: string]: unknown;
}

/** An image row with the annotations of its `image_id`, in the order of the file. */
export interface CocoRow {
  readonly image: CocoImage;
  readonly annotations: readonly CocoAnnotation[];
}

/** The same before it was looked at: whatever the file says. */
export interface UncheckedRow {
  readonly image: unknown;
  readonly annotations: readonly unknown[];
}

export interface RowProblem {
  /** As in `annotations[2].bbox[0]`. */
  readonly field: string;
  readonly message: string;
  /** `bad`: the row cannot be used. `empty`: a box of no area, which the target conversion leaves out (spec: as the official code). */
  readonly kind: 'bad' | 'empty';
}

export interface RowRules {
  /** False for files without texts (plain COCO and LVIS). */
  readonly captions?: 'required' | 'optional';
  /** `unknown` for files that do not tell how large pictures are. */
  readonly sizes?: 'stated' | 'unknown';
}

type Report = (field: string, message: string, kind?: RowProblem['kind']) => void;

/**
 * Everything that is wrong with a row, in the order of its fields; a row without a `bad` problem is a `CocoRow`.
 * Also makes numbers of sizes in quotes, and takes away own keys named `__proto__`, so that copying a row further on
 * can never set a prototype.
 */
export const problemsOfRow = (row: UncheckedRow, rules: RowRules = {}): RowProblem[] => {
  const problems: RowProblem[] = [];
  const report: Report = (field, message, kind = 'bad') => problems.push({ field, message, kind });
  const { image } = row;
  if (!isRecord(image)) {
    report('image', `is ${shown(image)}, not an object`);
    return problems;
  }
  dropPrototypeKey(image);
  const captionLength = checkImage(image, rules, report);
  row.annotations.forEach((annotation, i) => {
    const at = `annotations[${i}]`;
    if (!isRecord(annotation)) {
      report(at, `is ${shown(annotation)}, not an object`);
      return;
    }
    dropPrototypeKey(annotation);
    checkAnnotation(annotation, at, captionLength, report);
  });
  return problems;
};

/** True when nothing of `problems` keeps the row from being used. */
export const isUsable = (row: UncheckedRow, problems: readonly RowProblem[]): row is CocoRow =>
  problems.every((problem) => problem.kind !== 'bad');

/** Why `fileName` may not be joined to an image root, or undefined when it stays inside (the check is on the text alone). */
export const fileNameProblem = (fileName: string): string | undefined => {
  if (fileName === '') return 'is empty';
  if (fileName.includes('\0')) return 'holds a NUL character';
  if (/^[/\\]|^[A-Za-z]:/.test(fileName)) return `is absolute (${shown(fileName)}): it must lie inside the image root`;
  if (fileName.split(/[/\\]/).includes('..')) return `climbs out of the image root (${shown(fileName)})`;
  return undefined;
};

/** Returns the caption's length in code points, Infinity where there is none to measure spans against. */
const checkImage = (image: Record<string, unknown>, rules: RowRules, report: Report): number => {
  if (!Number.isSafeInteger(image['id'])) report('id', `is ${shown(image['id'])}, not a whole number`);
  const fileName = image['file_name'];
  if (typeof fileName !== 'string') report('file_name', `is ${shown(fileName)}, not a text`);
  else {
    const problem = fileNameProblem(fileName);
    if (problem !== undefined) report('file_name', problem);
  }
  for (const side of rules.sizes === 'unknown' ? [] : ['width', 'height']) {
    const stated = image[side];
    // The published Flickr30k files have sizes in quotes, as they stood in XML.
    const value = typeof stated === 'string' && /^\d{1,9}$/.test(stated) ? (image[side] = Number(stated)) : stated;
    if (typeof value !== 'number' || !Number.isFinite(value) || value <= 0)
      report(side, `is ${shown(value)}, not a positive number`);
  }
  const { caption } = image;
  let captionLength = Infinity;
  if (typeof caption === 'string') {
    captionLength = codePointLength(caption);
    if (rules.captions !== 'optional' && caption.trim() === '') report('caption', 'is empty');
  } else if (caption !== undefined || rules.captions !== 'optional') {
    report('caption', `is ${shown(caption)}, not a text`);
  }
  if (image['tokens_negative'] !== undefined)
    checkSpans(image['tokens_negative'], 'tokens_negative', captionLength, report);
  const phrases = image['tokens_positive_eval'];
  if (phrases !== undefined) {
    if (!Array.isArray(phrases)) report('tokens_positive_eval', `is ${shown(phrases)}, not a list`);
    else phrases.forEach((spans, i) => checkSpans(spans, `tokens_positive_eval[${i}]`, captionLength, report));
  }
  return captionLength;
};

const checkAnnotation = (
  annotation: Record<string, unknown>,
  at: string,
  captionLength: number,
  report: Report,
): void => {
  const { bbox } = annotation;
  if (!Array.isArray(bbox) || bbox.length !== 4) {
    report(`${at}.bbox`, `is ${shown(bbox)}, not [x, y, width, height]`);
  } else {
    let finite = true;
    for (let i = 0; i < 4; i++) {
      const value: unknown = bbox[i];
      if (typeof value !== 'number' || !Number.isFinite(value)) {
        finite = false;
        report(`${at}.bbox[${i}]`, `is ${shown(value)}, not a finite number`);
      }
    }
    if (finite && !((bbox[2] as number) > 0 && (bbox[3] as number) > 0))
      report(`${at}.bbox`, `has no area (width ${String(bbox[2])}, height ${String(bbox[3])})`, 'empty');
  }
  for (const key of ['tokens_positive', 'tokens'])
    if (annotation[key] !== undefined) checkSpans(annotation[key], `${at}.${key}`, captionLength, report);
  const { area } = annotation;
  if (area !== undefined && (typeof area !== 'number' || !Number.isFinite(area)))
    report(`${at}.area`, `is ${shown(area)}, not a finite number`);
};

const checkSpans = (spans: unknown, at: string, captionLength: number, report: Report): void => {
  if (!Array.isArray(spans)) {
    report(at, `is ${shown(spans)}, not a list of [begin, end]`);
    return;
  }
  for (let i = 0; i < spans.length; i++) {
    const span: unknown = spans[i];
    if (!Array.isArray(span) || span.length !== 2 || !Number.isSafeInteger(span[0]) || !Number.isSafeInteger(span[1])) {
      report(`${at}[${i}]`, `is ${shown(span)}, not [begin, end] in whole numbers`);
      continue;
    }
    const [begin, end] = span as [number, number];
    if (begin < 0 || begin > end) report(`${at}[${i}]`, `[${begin}, ${end}] is not a range`);
    else if (end > captionLength)
      report(`${at}[${i}]`, `[${begin}, ${end}] ends outside the caption of ${captionLength} characters`);
  }
};

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const dropPrototypeKey = (record: Record<string, unknown>): void => {
  if (Object.hasOwn(record, '__proto__')) Reflect.deleteProperty(record, '__proto__');
};

/** A value for an error message: short, on one line. */
const shown = (value: unknown): string => {
  if (value === undefined) return 'missing';
  if (typeof value === 'number') return String(value);
  const text = JSON.stringify(value);
  return text.length > 60 ? `${text.slice(0, 57)}…` : text;
};

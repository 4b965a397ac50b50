import { codePointLength } from '../../text/spans/code-points.ts';
import type { CocoRow } from './coco-format.ts';

/** A row as the file states it, before any check. */
export interface UncheckedRow {
  readonly image: unknown;
  readonly annotations: readonly unknown[];
}

export interface RowProblem {
  /** Path of the field, such as `annotations[2].bbox[0]`. */
  readonly field: string;
  readonly message: string;
  /** `bad`: the row cannot be used. `empty`: a box without area, which `targetFromRow` drops as the official code does. */
  readonly kind: 'bad' | 'empty';
}

/** Requirements of a row. */
export interface RowRules {
  /** `optional` for files without captions (plain COCO and LVIS). Default `required`. */
  readonly captions?: 'required' | 'optional';
  /** `unknown` for files that do not state the size of images. Default `stated`. */
  readonly sizes?: 'stated' | 'unknown';
  /** `required` where masks are trained or drawn: every box with area needs a `segmentation`. Default `optional`. */
  readonly masks?: 'required' | 'optional';
}

type Report = (field: string, message: string, kind?: RowProblem['kind']) => void;

/**
 * All problems of a row in the order of its fields. The one place that checks rows: a row without a `bad` problem is a
 * `CocoRow`. Changes the row: sizes in quotes become numbers, and own keys named `__proto__` are deleted, so that no copy
 * of the row can set a prototype.
 */
export const problemsOfRow = (row: UncheckedRow, rules: RowRules = {}): RowProblem[] => {
  const problems: RowProblem[] = [];
  const report: Report = (field, message, kind = 'bad') => problems.push({ field, message, kind });
  const { image } = row;
  if (!isObject(image)) {
    report('image', `is ${shown(image)}, not an object`);
    return problems;
  }
  dropPrototypeKey(image);
  const captionLength = checkImage(image, rules, report);
  row.annotations.forEach((annotation, i) => {
    const at = `annotations[${i}]`;
    if (!isObject(annotation)) {
      report(at, `is ${shown(annotation)}, not an object`);
      return;
    }
    dropPrototypeKey(annotation);
    checkAnnotation(annotation, at, captionLength, rules, report);
  });
  return problems;
};

/** True when no problem is `bad`. */
export const isUsable = (row: UncheckedRow, problems: readonly RowProblem[]): row is CocoRow =>
  problems.every((problem) => problem.kind !== 'bad');

/** The reason why a file name may not be joined to an image folder; undefined when it stays inside. Opens no file. */
export const fileNameProblem = (fileName: string): string | undefined => {
  if (fileName === '') return 'is empty';
  if (fileName.includes('\0')) return 'holds a NUL character';
  if (/^[/\\]|^[A-Za-z]:/.test(fileName))
    return `is absolute (${shown(fileName)}): it must be relative to the image folder`;
  if (fileName.split(/[/\\]/).includes('..')) return `is outside of the image folder (${shown(fileName)})`;
  return undefined;
};

/** Checks the image of a row. Returns the caption's length in code points, `Infinity` for a row without caption. */
const checkImage = (image: Record<string, unknown>, rules: RowRules, report: Report): number => {
  if (!Number.isSafeInteger(image['id'])) report('id', `is ${shown(image['id'])}, not an integer`);
  const fileName = image['file_name'];
  if (typeof fileName !== 'string') report('file_name', `is ${shown(fileName)}, not a string`);
  else {
    const problem = fileNameProblem(fileName);
    if (problem !== undefined) report('file_name', problem);
  }
  for (const side of rules.sizes === 'unknown' ? [] : ['width', 'height']) {
    const stated = image[side];
    // The published Flickr30k files have sizes in quotes, copied from XML.
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
    report('caption', `is ${shown(caption)}, not a string`);
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
  rules: RowRules,
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
    const hasArea = (bbox[2] as number) > 0 && (bbox[3] as number) > 0;
    if (finite && !hasArea)
      report(`${at}.bbox`, `has no area (width ${String(bbox[2])}, height ${String(bbox[3])})`, 'empty');
    // Crowds and boxes without area are dropped, so they need no mask.
    if (rules.masks === 'required' && finite && hasArea && annotation['iscrowd'] !== 1)
      if (annotation['segmentation'] === undefined)
        report(
          `${at}.segmentation`,
          'is missing, but masks are asked for: annotate them, or train without mask losses',
        );
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
      report(`${at}[${i}]`, `is ${shown(span)}, not [begin, end] in integers`);
      continue;
    }
    const [begin, end] = span as [number, number];
    if (begin < 0 || begin > end) report(`${at}[${i}]`, `[${begin}, ${end}] is not a range`);
    else if (end > captionLength)
      report(`${at}[${i}]`, `[${begin}, ${end}] ends outside the caption of ${captionLength} characters`);
  }
};

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const dropPrototypeKey = (object: Record<string, unknown>): void => {
  if (Object.hasOwn(object, '__proto__')) Reflect.deleteProperty(object, '__proto__');
};

/** A value in an error message: JSON on one line, at most 60 characters. */
const shown = (value: unknown): string => {
  if (value === undefined) return 'missing';
  if (typeof value === 'number') return String(value);
  const text = JSON.stringify(value);
  return text.length > 60 ? `${text.slice(0, 57)}…` : text;
};

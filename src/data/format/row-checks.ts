import { codePointLength } from '../../text/spans/code-points.ts';
import type { CocoRow } from './coco-format.ts';
import { flagOf, isCoordinate, scalarId, MAX_PIXELS, shown } from './field-values.ts';
import { maskProblem, parseSegmentation } from './segmentation.ts';

/** A row as the file states it, before any check. */
export interface UncheckedRow {
  /** Image object as parsed. */
  readonly image: unknown;
  /** Annotation objects as parsed. */
  readonly annotations: readonly unknown[];
}

/** Reason why a field of a row cannot be used. */
export interface RowProblem {
  /** Path of the field, such as `annotations[2].bbox[0]`. */
  readonly field: string;
  /** The problem and what is expected. */
  readonly message: string;
  /**
   * `bad`: the row cannot be used. `empty`: a box without area, which `targetFromRow` drops as the official code does.
   * `mask`: a broken segmentation in a row whose masks are not needed; the row is bad where they are.
   */
  readonly kind: 'bad' | 'empty' | 'mask';
}

/** Requirements of a row. */
export interface RowRules {
  /** `optional` for files without captions (plain COCO and LVIS). Default `required`. */
  readonly captions?: 'required' | 'optional';
  /** `unknown` for files that do not state the size of images. Default `stated`. */
  readonly sizes?: 'stated' | 'unknown';
  /**
   * `optional` (default): segmentations are not looked at. `checked`: broken ones are reported. `required`, where masks are
   * trained or drawn: every box with area but crowds needs one that is not broken. `every`, where masks are compared:
   * crowds and boxes without area, too.
   */
  readonly masks?: 'optional' | 'checked' | 'required' | 'every';
}

type Fields = Record<string, unknown>;
type Report = (field: string, message: string, kind?: RowProblem['kind']) => void;

/**
 * All problems of a row in the order of its fields. The one place that checks rows: a row without a `bad` problem is a
 * `CocoRow`. Changes the row to the forms of `CocoRow`: fields that are null are deleted, sizes in quotes become numbers,
 * flags 0 or 1, and segmentations lists of polygons or run lengths where masks are checked. Own keys named `__proto__` are
 * deleted, so that no copy of the row can set a prototype.
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
    checkAnnotation(annotation, at, image, captionLength, rules, report);
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
const checkImage = (image: Fields, rules: RowRules, report: Report): number => {
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
    if (typeof value !== 'number' || !(value > 0) || value > MAX_PIXELS)
      report(side, `is ${shown(value)}, not a positive number`);
  }
  for (const key of ['dataset_name', 'data_source']) {
    const value = optionalField(image, key);
    if (value !== undefined && typeof value !== 'string') report(key, `is ${shown(value)}, not a string`);
  }
  checkId(image, 'original_id', 'original_id', report);
  const caption = rules.captions === 'optional' ? optionalField(image, 'caption') : image['caption'];
  let captionLength = Infinity;
  if (typeof caption === 'string') {
    captionLength = codePointLength(caption);
    if (rules.captions !== 'optional' && caption.trim() === '') report('caption', 'is empty');
  } else if (caption !== undefined || rules.captions !== 'optional') {
    report('caption', `is ${shown(caption)}, not a string`);
  }
  const negative = optionalField(image, 'tokens_negative');
  if (negative !== undefined) checkSpans(negative, 'tokens_negative', captionLength, report);
  const phrases = optionalField(image, 'tokens_positive_eval');
  if (phrases !== undefined) {
    if (!Array.isArray(phrases)) report('tokens_positive_eval', `is ${shown(phrases)}, not a list`);
    else phrases.forEach((spans, i) => checkSpans(spans, `tokens_positive_eval[${i}]`, captionLength, report));
  }
  return captionLength;
};

const checkAnnotation = (
  annotation: Fields,
  at: string,
  image: Fields,
  captionLength: number,
  rules: RowRules,
  report: Report,
): void => {
  const hasArea = checkBox(annotation['bbox'], `${at}.bbox`, report);
  for (const key of ['id', 'category_id']) checkId(annotation, key, `${at}.${key}`, report);
  for (const key of ['iscrowd', 'isfinal']) {
    const value = optionalField(annotation, key);
    if (value === undefined) continue;
    const flag = flagOf(value);
    if (flag === undefined) report(`${at}.${key}`, `is ${shown(value)}, neither 0 nor 1`);
    else annotation[key] = flag;
  }
  for (const key of ['tokens_positive', 'tokens']) {
    const spans = optionalField(annotation, key);
    if (spans === undefined) continue;
    checkSpans(spans, `${at}.${key}`, captionLength, report);
    const empty = Array.isArray(spans) ? spans.findIndex((span) => Array.isArray(span) && span[1] === 0) : -1;
    if (empty >= 0) report(`${at}.${key}[${empty}]`, '[0, 0] refers to no character');
  }
  const area = optionalField(annotation, 'area');
  if (area !== undefined && (typeof area !== 'number' || !Number.isFinite(area)))
    report(`${at}.area`, `is ${shown(area)}, not a finite number`);
  if (rules.masks !== undefined && rules.masks !== 'optional')
    checkMask(annotation, at, image, hasArea && annotation['iscrowd'] !== 1, rules.masks, report);
};

/** Checks a box. Returns whether it has an area. */
const checkBox = (bbox: unknown, at: string, report: Report): boolean => {
  if (!Array.isArray(bbox) || bbox.length !== 4) {
    report(at, `is ${shown(bbox)}, not [x, y, width, height]`);
    return false;
  }
  let isNumeric = true;
  for (const [i, value] of (bbox as unknown[]).entries()) {
    if (isCoordinate(value)) continue;
    isNumeric = false;
    const isFinite = typeof value === 'number' && Number.isFinite(value);
    report(`${at}[${i}]`, `is ${shown(value)}, not a ${isFinite ? 'coordinate in pixels' : 'finite number'}`);
  }
  const [, , width, height] = bbox as number[];
  const hasArea = isNumeric && width! > 0 && height! > 0;
  if (isNumeric && !hasArea) report(at, `has no area (width ${String(width)}, height ${String(height)})`, 'empty');
  return hasArea;
};

/** Checks a segmentation. `isObject`: training reads its mask, since the box is no crowd and has an area. */
const checkMask = (
  annotation: Fields,
  at: string,
  image: Fields,
  isObject: boolean,
  masks: 'checked' | 'required' | 'every',
  report: Report,
): void => {
  const isNeeded = masks === 'every' || (masks === 'required' && isObject);
  const kind = isNeeded ? 'bad' : 'mask';
  const parsed = parseSegmentation(annotation['segmentation']);
  if (parsed.kind === 'broken') report(`${at}.segmentation${parsed.field}`, parsed.message, kind);
  else if (parsed.kind === 'none') {
    if (isNeeded)
      report(
        `${at}.segmentation`,
        `${parsed.message}, but masks are asked for: annotate them, or train without mask losses`,
      );
    delete annotation['segmentation'];
  } else {
    annotation['segmentation'] = parsed.segmentation;
    const [width, height] = [image['width'], image['height']].map((side) => (typeof side === 'number' ? side : 0));
    const problem = maskProblem(parsed.segmentation, width!, height!);
    if (problem !== undefined) report(`${at}.segmentation${problem.field}`, problem.message, kind);
  }
};

/** Checks a field that may be missing, null or a scalar. */
const checkId = (fields: Fields, key: string, at: string, report: Report): void => {
  const value = optionalField(fields, key);
  if (value === undefined) return;
  const id = scalarId(value);
  if (id === undefined) report(at, `is ${shown(value)}, neither a number nor a string`);
  else fields[key] = id;
};

/** Value of a field that may be missing. Deletes it if it is null. */
const optionalField = (fields: Fields, key: string): unknown => {
  if (fields[key] === null) Reflect.deleteProperty(fields, key);
  return fields[key];
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

const isObject = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const dropPrototypeKey = (object: Fields): void => {
  if (Object.hasOwn(object, '__proto__')) Reflect.deleteProperty(object, '__proto__');
};

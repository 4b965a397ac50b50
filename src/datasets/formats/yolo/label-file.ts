import { BadRowError, type BadRows } from '../../source/bad-rows.ts';
import type { BoxXywh } from '../../../geometry/boxes.ts';
import { numberOfText, shortText } from '../field-numbers.ts';
import { boxOfPoints } from '../shapes.ts';

/** Coordinates beyond this are pixels, not fractions; those a little beyond 1 are boxes that leave the image. */
const MAX_FRACTION = 2;
/** Values of a turned box: the class and four corners. */
const OBB_VALUES = 9;

/** One line of a label file. Coordinates are fractions of the image. */
export interface YoloLabel {
  readonly classId: number;
  readonly bbox: BoxXywh;
  /** Outline x, y, …; undefined for a box. */
  readonly polygon: readonly number[] | undefined;
  /** Line in the file, from 1. */
  readonly line: number;
}

/**
 * Parses a label file: a line is a class with a box (`CLASS CX CY W H`, and perhaps a confidence), an outline of three
 * points or more (`CLASS X Y X Y …`), or a box with key points.
 * @param keyPointValues values of the key points behind a box, for files with key points; else 0
 * @throws {MdetrError} naming file and line of the first line that is something else, unless such lines are skipped
 */
export const parseLabelFile = (text: string, path: string, badRows: BadRows, keyPointValues = 0): YoloLabel[] =>
  Array.from(
    badRows.usable(text.split(/\r\n|\n|\r/), (line, index) => {
      const words = line.trim().split(/\s+/);
      if (words[0] === '') return undefined;
      return { ...parseLine(words, `${path}: line ${index + 1}`, keyPointValues), line: index + 1 };
    }),
  );

const parseLine = (words: readonly string[], location: string, keyPointValues: number): Omit<YoloLabel, 'line'> => {
  const values = words.map((word) => {
    const value = numberOfText(word);
    if (value === undefined || !Number.isFinite(value))
      throw new BadRowError(`${location}: "${shortText(word)}" is not a number`);
    return value;
  });
  const [classId, ...coordinates] = values as [number, ...number[]];
  if (!Number.isInteger(classId) || classId < 0)
    throw new BadRowError(`${location}: the class is ${words[0]!.slice(0, 100)}, not an integer from 0`);
  const isBox =
    values.length === 5 || values.length === 6 || (keyPointValues > 0 && values.length === 5 + keyPointValues);
  if (!isBox && (values.length < 7 || values.length % 2 === 0))
    throw new BadRowError(
      `${location}: has ${values.length} values; a box has 5 (class, center, size), an outline a class and pairs of x and y`,
    );
  const own = isBox ? coordinates.slice(0, 4) : coordinates;
  const pixel = own.find((value) => Math.abs(value) > MAX_FRACTION);
  if (pixel !== undefined)
    throw new BadRowError(
      `${location}: ${pixel} is not a fraction of the image's size; YOLO's coordinates are from 0 to 1`,
    );
  if (isBox) {
    const [cx, cy, w, h] = own as [number, number, number, number];
    return { classId, bbox: [cx - w / 2, cy - h / 2, w, h], polygon: undefined };
  }
  return { classId, bbox: boxOfPoints(own)!, polygon: own };
};

/** Whether all lines of a dataset that are not boxes have the form of turned boxes, so that their outlines are no masks. */
export const areTurnedBoxes = (labels: Iterable<YoloLabel>): boolean => {
  let outlines = 0;
  for (const { polygon } of labels) {
    if (polygon === undefined) continue;
    if (polygon.length !== OBB_VALUES - 1) return false;
    outlines++;
  }
  return outlines > 0;
};

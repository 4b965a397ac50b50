import type { BoxXywh } from '../../../geometry/boxes.ts';
import { childrenOf, textOf, type XmlElement } from '../../source/xml-tree.ts';
import { OWN_VOC_SOURCE } from './own-source.ts';

/** Number of the first pixel of a row or column: 1 in the original files of Pascal VOC, 0 in those of many tools. */
export type VocOrigin = 0 | 1;

/** A file with its upright boxes, `[xmin, ymin, xmax − xmin, ymax − ymin]`. */
export interface VocBoxes {
  readonly tree: XmlElement;
  readonly boxes: readonly BoxXywh[];
}

/** How the coordinates of a source count, and why. */
export interface StatedOrigin {
  readonly origin: VocOrigin;
  /** Note for the report; undefined if there is nothing to tell. */
  readonly note?: string | undefined;
  /** Index of the file that shows it. */
  readonly shownBy: number;
}

/** Sources that count from 1: the original files, Roboflow's exports, and files of this package. */
const COUNTS_FROM_1 = /roboflow|voc ?20\d\d|pascal/i;

/**
 * Decides from all files together whether pixels count from 0 or from 1. A coordinate that is 0 or a fraction is not of files that count
 * from 1, and a first pixel that is 1 but never 0 is the border of those. Where no box touches the border, `<source>` decides, and
 * else they count from 0, which is noted: only the user can know.
 *
 * @param forced origin that the user names
 */
export const originOfBoxes = (files: readonly VocBoxes[], forced?: VocOrigin): StatedOrigin => {
  const moved = (reason: string, shownBy: number): StatedOrigin => ({
    origin: 1,
    note: `coordinates that count pixels from 1, moved by one (${reason})`,
    shownBy: Math.max(0, shownBy),
  });
  if (forced === 0) return { origin: 0, shownBy: 0 };
  if (forced === 1) return moved('as named', 0);
  const own = files.findIndex(({ tree }) => sourcesOf(tree).includes(OWN_VOC_SOURCE));
  if (own >= 0) return moved('the files say so', own);
  const boxes = files.flatMap((file) => file.boxes);
  if (!boxes.every((box) => box.every(Number.isInteger)) || boxes.some(([x, y]) => x < 1 || y < 1))
    return { origin: 0, shownBy: 0 };
  const atBorder = files.findIndex((file) => file.boxes.some(([x, y]) => x === 1 || y === 1));
  if (atBorder >= 0) return moved('one is 1 and none is 0', atBorder);
  const known = files.findIndex(({ tree }) => sourcesOf(tree).some((text) => COUNTS_FROM_1.test(text)));
  if (known >= 0) {
    const name = sourcesOf(files[known]!.tree).find((text) => COUNTS_FROM_1.test(text))!;
    return moved(`files of ${name.slice(0, 100)} do`, known);
  }
  if (boxes.length === 0) return { origin: 0, shownBy: 0 };
  return {
    origin: 0,
    note:
      'integer coordinates of which none is 0 or 1, so that nothing says whether pixels count from 0 or from 1: read as from 0 ' +
      '(--voc-origin 1 reads them as from 1, --voc-origin 0 confirms)',
    shownBy: files.findIndex((file) => file.boxes.length > 0),
  };
};

/** Texts of `<source>`: the database, and whose annotation it is. */
const sourcesOf = (tree: XmlElement): string[] =>
  childrenOf(tree, 'source').flatMap((source) =>
    ['database', 'annotation'].flatMap((name) => textOf(source, name) ?? []),
  );

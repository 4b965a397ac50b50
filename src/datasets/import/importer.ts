import type { Segmentation } from '../../data/format/coco-format.ts';
import type { BoxXywh } from '../../geometry/boxes.ts';
import type { BadRows } from '../source/bad-rows.ts';
import type { Remarks } from '../preparation/remarks.ts';
import type { ImportSource } from './import-source.ts';
import type { ImportSplit } from './stated-split.ts';

export type { ImportSplit } from './stated-split.ts';

/** One annotated object of an image. */
export interface ImportedObject {
  /** Class name, or the phrase of the caption that refers to the object, as the source spells it. */
  readonly label: string;
  /** Box in the unit that the image states; parts beyond the image are cut off later. */
  readonly bbox: BoxXywh;
  /** Mask in COCO's format, polygons in the unit that the image states. Missing if the source has a box only. */
  readonly segmentation?: Segmentation | undefined;
  /** The region is a group of objects. Default false. */
  readonly isCrowd?: boolean | undefined;
  /**
   * Ranges of the image's caption that refer to the object, in UTF-16 units. Missing if the source has class names, or
   * phrases without positions: `label` is then looked for in the caption.
   */
  readonly spans?: readonly CaptionRange[] | undefined;
  /** Which occurrence of the phrase `label` in the caption is meant, from 0, if the source says so. */
  readonly occurrence?: number | undefined;
  /** Further attributes, such as `{ occluded: 'true' }`. */
  readonly attributes?: Readonly<Record<string, string>> | undefined;
  /** Location of the object in the source, for messages: file and entry or line. */
  readonly location: string;
}

/** Range [start, end) of a caption in UTF-16 units. */
export interface CaptionRange {
  /** Index of the first UTF-16 unit. */
  readonly start: number;
  /** Index after the last UTF-16 unit. */
  readonly end: number;
}

/** One image of a source, or a part of its annotations; parts of the same image are merged. */
export interface ImportedImage {
  /** File name as the source spells it. */
  readonly fileName: string;
  /** Path of the image file. Undefined if it was not found. */
  readonly path: string | undefined;
  /** Size in pixels that the source states. The file's own size is used where they differ. */
  readonly width?: number | undefined;
  /** Height in pixels that the source states. */
  readonly height?: number | undefined;
  /** Unit of the coordinates. Default `pixels` of the stated size; `fractions` are of the image's width and height. */
  readonly unit?: 'pixels' | 'fractions' | undefined;
  /** Split that the source states, by a list or by the name of a folder. */
  readonly split?: ImportSplit | undefined;
  /** Caption, for sources with captions. For others, captions are made from the labels. */
  readonly caption?: string | undefined;
  /** Annotated objects. */
  readonly objects: readonly ImportedObject[];
  /** Location of the image in the source, for messages. */
  readonly location: string;
}

/** Arguments of `Importer.read`. */
export interface ImportOptions {
  /** Receives everything that is left out, with the reason and the location. */
  readonly leftOut: Remarks;
  /** Receives peculiarities of the source that affect the result. */
  readonly notes: Remarks;
  /** Decides about entries that cannot be used: the first one stops the import, or they are left out. */
  readonly badRows: BadRows;
  /** Names of numbered classes, for sources that do not contain them. */
  readonly classNames?: readonly string[] | undefined;
  /** Class of objects to which the source gives none. */
  readonly defaultClass?: string | undefined;
  /** Number of the first pixel in Pascal VOC files. Default: decided from the files. */
  readonly vocOrigin?: 0 | 1 | undefined;
}

/**
 * Reader of one annotation format as labeling tools export it. An importer yields images; sizes, captions, spans, splits
 * and files are made from these in one place, equally for all formats.
 */
export interface Importer {
  /** Name on the command line, such as `coco`. */
  readonly name: string;
  /** Title for messages and help, such as `COCO instances`. */
  readonly title: string;
  /** The files of the format and how they are found, for help. */
  readonly files: string;
  /**
   * Paths of the source's annotation files in this format, relative to `source.root`; empty if there are none. Reads as
   * little of each file as decides it, and does not throw for files of other formats.
   */
  recognize(source: ImportSource): Promise<readonly string[]>;
  /**
   * Reads the given annotation files together.
   * @throws {MdetrError} naming file and line or entry of the first value that makes the source unusable
   */
  read(source: ImportSource, files: readonly string[], options: ImportOptions): AsyncIterable<ImportedImage>;
}

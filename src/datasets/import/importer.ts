import type { Segmentation } from '../../data/format/coco-format.ts';
import type { BoxXywh } from '../../geometry/boxes.ts';
import type { Remarks } from '../preparation/remarks.ts';
import type { ImportSource } from './import-source.ts';

/** Splits that a source can state. Images without one are divided by the caller. */
export type ImportSplit = 'train' | 'val' | 'test';

/** One annotated object of an image. */
export interface ImportedObject {
  /** Class name, or the phrase of the caption that refers to the object, as the source spells it. */
  readonly label: string;
  /** Box in pixels of the image, clipped to it. */
  readonly bbox: BoxXywh;
  /** Mask in COCO's format. Missing if the source has a box only. */
  readonly segmentation?: Segmentation | undefined;
  /** The region is a group of objects. Default false. */
  readonly isCrowd?: boolean | undefined;
  /**
   * Range of the phrase in the image's caption, in UTF-16 units. Missing if the source has class names, or phrases without
   * positions.
   */
  readonly span?: { readonly start: number; readonly end: number } | undefined;
  /** Further attributes, such as `{ occluded: 'true' }`. */
  readonly attributes?: Readonly<Record<string, string>> | undefined;
  /** Location of the object in the source, for messages: file and entry or line. */
  readonly location: string;
}

/** One image of a source, with all its objects. */
export interface ImportedImage {
  /** File name as the source spells it. */
  readonly fileName: string;
  /** Path of the image file. Undefined if it was not found; the source then states the size. */
  readonly path: string | undefined;
  /** Size in pixels, as the source states it or read from the file. */
  readonly width: number;
  readonly height: number;
  /** Split that the source states, by a list or by the name of a folder. */
  readonly split?: ImportSplit | undefined;
  /** Caption, for sources with captions. For others, captions are made from the labels. */
  readonly caption?: string | undefined;
  readonly objects: readonly ImportedObject[];
}

/** Arguments of `Importer.read`. */
export interface ImportOptions {
  /** Receives everything that is left out, with the reason and the location. */
  readonly leftOut: Remarks;
  /** Receives peculiarities of the source that affect the result. */
  readonly notes: Remarks;
}

/**
 * Reader of one annotation format as labeling tools export it. An importer yields images; captions, spans, splits and
 * files are made from these in one place, equally for all formats.
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
   * Reads the given annotation files together. Every image is yielded once.
   * @throws {MdetrError} naming file and line or entry of the first value that makes the source unusable
   */
  read(source: ImportSource, files: readonly string[], options: ImportOptions): AsyncIterable<ImportedImage>;
}

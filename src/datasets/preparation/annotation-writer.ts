import { join } from 'node:path';
import { type CocoAnnotation, type CocoImage } from '../../data/format/coco-format.ts';
import { problemsOfRow } from '../../data/format/row-checks.ts';
import { makeFolder } from '../../files/make-folder.ts';
import { JsonSections } from '../../files/json/json-sections.ts';
import { BadRowError } from '../source/bad-rows.ts';
import type { PreparedFile } from './preparation.ts';

/** Counters for the ids of images and annotations. Files that share one are numbered consecutively, as in the official scripts. */
export class RowIds {
  /** Id of the next row. */
  image = 0;
  /** Id of the next annotation. */
  annotation = 0;
}

/** The fields of an annotation file other than `images` and `annotations`. */
export interface AnnotationFileHeader {
  /** Value of `info`, as in COCO. */
  readonly info?: unknown;
  /** Value of `licenses`, as in COCO. */
  readonly licenses?: unknown;
  /** Value of `categories`, as in COCO. */
  readonly categories?: unknown;
}

/** The only category of official files, which have no classes: MDETR reads classes from the caption. */
const OBJECT_CATEGORIES = [{ supercategory: 'object', id: 1, name: 'object' }];

/** An entry of `images` before its id is assigned. */
export type NewImage = Omit<CocoImage, 'id'> & Readonly<Record<string, unknown>>;
/** An entry of `annotations` before its ids are assigned. */
export type NewAnnotation = Omit<CocoAnnotation, 'id' | 'image_id'> & Readonly<Record<string, unknown>>;

/**
 * Writes an annotation file in the official format, row by row in constant memory. Until `finish` the contents are in
 * temporary files beside it.
 */
export class AnnotationWriter {
  /** Path that the finished file gets. */
  readonly path: string;
  private readonly sections: JsonSections;
  private readonly ids: RowIds;
  private images = 0;
  private annotations = 0;

  private constructor(path: string, sections: JsonSections, ids: RowIds) {
    this.path = path;
    this.sections = sections;
    this.ids = ids;
  }

  /**
   * Opens a new file, creating the folder if it is missing.
   * @throws {MdetrError} if the folder or file cannot be created
   */
  static async create(folder: string, name: string, ids = new RowIds()): Promise<AnnotationWriter> {
    await makeFolder(folder);
    const path = join(folder, name);
    return new AnnotationWriter(path, await JsonSections.create(path, ['images', 'annotations']), ids);
  }

  /**
   * Appends one caption with its boxes and assigns their ids.
   * @param location where the row comes from, for error messages
   * @throws {BadRowError} if readers would reject the row; nothing is written then
   */
  async write(image: NewImage, boxes: readonly NewAnnotation[], location: string): Promise<void> {
    const id = this.ids.image;
    // Official files have the id in the middle of the row; readers accept any order.
    const row = { id, ...image } as CocoImage;
    const first = this.ids.annotation;
    const annotations = boxes.map((box, i) => ({ id: first + i, image_id: id, ...box }) as CocoAnnotation);
    const bad = problemsOfRow({ image: row, annotations }, { captions: 'optional', masks: 'checked' }).find(
      ({ kind }) => kind !== 'empty',
    );
    if (bad !== undefined) throw new BadRowError(`${location}: ${bad.field} ${bad.message}`);
    this.ids.image++;
    this.ids.annotation += annotations.length;
    await this.sections.append('images', row);
    for (const annotation of annotations) await this.sections.append('annotations', annotation);
    this.images++;
    this.annotations += annotations.length;
  }

  /** Writes the remaining fields and gives the file its name. */
  async finish({
    info = [],
    licenses = [],
    categories = OBJECT_CATEGORIES,
  }: AnnotationFileHeader = {}): Promise<PreparedFile> {
    await this.sections.finish({ info, licenses, images: [], annotations: [], categories });
    return { path: this.path, images: this.images, annotations: this.annotations };
  }

  /** Removes the unfinished file. Does nothing after `finish`. */
  async discard(): Promise<void> {
    await this.sections.discard();
  }
}

/** Opens a file, calls `fill` to write it, and finishes it, or discards it if `fill` throws. */
export const writeAnnotations = async (
  folder: string,
  name: string,
  ids: RowIds,
  fill: (writer: AnnotationWriter) => Promise<AnnotationFileHeader | undefined>,
): Promise<PreparedFile> => {
  const writer = await AnnotationWriter.create(folder, name, ids);
  try {
    return await writer.finish(await fill(writer));
  } finally {
    await writer.discard();
  }
};

import { join } from 'node:path';
import { MdetrError } from '../errors.ts';
import { type CocoAnnotation, type CocoImage, problemsOfRow } from '../data/format/coco-format.ts';
import { makeFolder } from '../files/make-folder.ts';
import { JsonSections } from '../scenes/dataset/json-sections.ts';
import type { PreparedFile } from './preparation.ts';

/** Ids of rows and boxes. Shared by several files, they go on from one to the next, as in the official scripts. */
export class RowIds {
  image = 0;
  annotation = 0;
}

/** What stands beside the rows. */
export interface AnnotationFileHeader {
  readonly info?: unknown;
  readonly licenses?: unknown;
  readonly categories?: unknown;
}

/** The one category of official files that know none. */
export const OBJECT_CATEGORIES = [{ supercategory: 'object', id: 1, name: 'object' }];

export type NewImage = Omit<CocoImage, 'id'> & Readonly<Record<string, unknown>>;
export type NewAnnotation = Omit<CocoAnnotation, 'id' | 'image_id'> & Readonly<Record<string, unknown>>;

/**
 * Writes an official annotation file of any size, row by row in flat memory. It appears under its name when it is
 * whole; until then there are only files ending in `.part` beside it.
 */
export class AnnotationWriter {
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

  /** Makes the folder where it is missing. */
  static async create(folder: string, name: string, ids = new RowIds()): Promise<AnnotationWriter> {
    await makeFolder(folder);
    const path = join(folder, name);
    return new AnnotationWriter(path, await JsonSections.create(path, ['images', 'annotations']), ids);
  }

  /**
   * Adds a text about an image with its boxes; ids are given here.
   * @param place where it is from, for the error when such a row could not be read back
   */
  async write(image: NewImage, boxes: readonly NewAnnotation[], place: string): Promise<void> {
    const id = this.ids.image++;
    // Official files have the id in the midst of the row; readers do not mind.
    const row = { id, ...image } as CocoImage;
    const annotations = boxes.map((box) => ({ id: this.ids.annotation++, image_id: id, ...box }) as CocoAnnotation);
    const bad = problemsOfRow({ image: row, annotations }, { captions: 'optional' }).find(({ kind }) => kind === 'bad');
    if (bad !== undefined) throw new MdetrError(`${place}: ${bad.field} ${bad.message}`);
    await this.sections.append('images', row);
    for (const annotation of annotations) await this.sections.append('annotations', annotation);
    this.images++;
    this.annotations += annotations.length;
  }

  async finish({
    info = [],
    licenses = [],
    categories = OBJECT_CATEGORIES,
  }: AnnotationFileHeader = {}): Promise<PreparedFile> {
    await this.sections.finish({ info, licenses, images: [], annotations: [], categories });
    return { path: this.path, images: this.images, annotations: this.annotations };
  }

  /** Removes the unfinished file; does nothing once it is finished. */
  async discard(): Promise<void> {
    await this.sections.discard();
  }
}

/** Opens a file, lets `fill` write it, and finishes or discards it. */
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

import { posix } from 'node:path';
import * as z from 'zod';
import { MdetrError } from '../../../errors.ts';
import { checked } from '../../source/checked.ts';
import { readJsonLists, withPauses } from '../../source/json-entries.ts';

const id = z.union([z.int(), z.string()]);
const imageSchema = z.looseObject({ id, file_name: z.string() });
const categorySchema = z.looseObject({ id, name: z.string() });

type Id = z.output<typeof id>;

/** Ids of the images and categories of a COCO annotation file. */
export class CocoIds {
  private readonly images = new Map<string, Id>();
  /** Ids by file name without folders; undefined for names that occur in several folders. */
  private readonly byBase = new Map<string, Id | undefined>();
  private readonly categories = new Map<string, Id>();

  /** Reads the ids; annotations are not kept. @throws {MdetrError} if the file is no COCO file */
  static async read(path: string): Promise<CocoIds> {
    const ids = new CocoIds();
    for await (const { list, location, value } of withPauses(readJsonLists(path, ['images', 'categories'])))
      if (list === 'images') {
        const image = checked(imageSchema, value, `${path}: ${location}`);
        ids.addImage(image.file_name.replaceAll('\\', '/'), image.id);
      } else {
        const category = checked(categorySchema, value, `${path}: ${location}`);
        ids.categories.set(category.name.toLowerCase(), category.id);
      }
    if (ids.images.size === 0) throw new MdetrError(`${path}: has no images`);
    return ids;
  }

  /** Names of the categories in the order of the file, in lower case. */
  get names(): readonly string[] {
    return [...this.categories.keys()];
  }

  /** Id of an image by its path, else by its file name alone. */
  imageOf(name: string): Id | undefined {
    return this.images.get(name) ?? this.byBase.get(posix.basename(name));
  }

  categoryOf(name: string): Id | undefined {
    return this.categories.get(name.toLowerCase());
  }

  private addImage(name: string, imageId: Id): void {
    this.images.set(name, imageId);
    const base = posix.basename(name);
    this.byBase.set(base, this.byBase.has(base) && this.byBase.get(base) !== imageId ? undefined : imageId);
  }
}

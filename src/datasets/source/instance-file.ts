import * as z from 'zod';
import type { Segmentation } from '../../data/format/coco-format.ts';
import { parseSegmentation } from '../../data/format/segmentation.ts';
import { quoted } from '../../errors.ts';
import { BadRowError, type BadRows } from './bad-rows.ts';
import { checked } from './checked.ts';
import { instanceFields } from './coco-instances.ts';
import { InstanceIds } from './instance-ids.ts';
import { type ListEntry, readJsonLists, withPauses } from './json-entries.ts';
import { JsonRanges } from './json-ranges.ts';
import { megabyteProgress } from '../preparation/megabyte-progress.ts';
import type { PreparationProgress } from '../preparation/preparation.ts';

const idFields = z.looseObject({ image_id: z.int(), category_id: z.int() });

const annotation = z.looseObject(instanceFields);
/** An entry of `annotations` in COCO or LVIS; other fields are kept. */
export type Instance = z.output<typeof annotation>;

const category = z.looseObject({ id: z.int(), name: z.string().min(1) });
/** An entry of `categories` in COCO or LVIS; other fields are kept. */
export type InstanceCategory = z.output<typeof category>;

/** The only field that every entry of `images` must have. */
export interface ImageWithId {
  readonly id: number;
}

/** Values per annotation in the table: category id, the byte range [begin, end) of its entry, and its index. */
const TABLE_STRIDE = 4;

/**
 * A file in COCO's instances format with random access by image. Images and categories are kept in memory, annotations
 * are read on demand. Opening takes one pass over the file; memory is about 40 bytes per annotation.
 */
export class InstanceFile<Image extends ImageWithId> {
  readonly path: string;
  readonly images: readonly Image[];
  readonly categories: readonly InstanceCategory[];
  /** Number of annotations whose image is not in the file. */
  readonly orphans: number;
  private readonly tableOf: ReadonlyMap<number, readonly number[]>;
  private readonly ranges: JsonRanges;
  private readonly ids: InstanceIds;

  private constructor(
    path: string,
    images: readonly Image[],
    categories: readonly InstanceCategory[],
    tableOf: ReadonlyMap<number, readonly number[]>,
    ids: InstanceIds,
  ) {
    this.ids = ids;
    this.path = path;
    this.images = images;
    this.categories = categories;
    this.tableOf = tableOf;
    const known = new Set(images.map(({ id }) => id));
    let orphans = 0;
    for (const [image, table] of tableOf) if (!known.has(image)) orphans += table.length / TABLE_STRIDE;
    this.orphans = orphans;
    this.ranges = new JsonRanges(path);
  }

  /**
   * Opens a file; call `close` when done.
   * @param imageSchema schema of the entries of `images`
   * @param badRows decides about invalid entries
   * @throws {MdetrError} naming entry and field of the first invalid value, unless such entries are skipped
   */
  static async open<Schema extends z.ZodType<ImageWithId>>(
    path: string,
    imageSchema: Schema,
    progress: PreparationProgress,
    badRows: BadRows,
  ): Promise<InstanceFile<z.output<Schema>>> {
    const images = new Map<number, z.output<Schema>>();
    const categories: InstanceCategory[] = [];
    const tableOf = new Map<number, number[]>();
    const ids = new InstanceIds();
    const onProgress = megabyteProgress(`reading ${path}, MB`, progress);
    const entries = readJsonLists(path, ['images', 'annotations', 'categories'], { onProgress });
    let index = -1;
    const read = (entry: ListEntry<'images' | 'annotations' | 'categories'>): void => {
      const at = `${path}: ${entry.location}`;
      if (entry.list === 'categories') {
        const own = checked(category, ids.withNumbers('categories', entry.value), at);
        if (categories.some(({ id }) => id === own.id))
          throw new BadRowError(`${at}: category id ${quoted(ids.stated('categories', own.id))} occurs twice`);
        categories.push(own);
      } else if (entry.list === 'images') {
        const image = checked(imageSchema, ids.withNumbers('images', entry.value), at);
        if (images.has(image.id))
          throw new BadRowError(`${at}: image id ${quoted(ids.stated('images', image.id))} occurs twice`);
        images.set(image.id, image);
      } else {
        index++;
        const { image_id, category_id } = checked(idFields, ids.withNumbers('boxes', entry.value), at);
        const own = tableOf.get(image_id);
        if (own === undefined) tableOf.set(image_id, [category_id, entry.begin, entry.end, index]);
        else own.push(category_id, entry.begin, entry.end, index);
      }
    };
    for await (const entry of withPauses(entries)) badRows.attempt(() => read(entry));
    return new InstanceFile(path, [...images.values()], categories, tableOf, ids);
  }

  /** Category ids of an image's annotations, in file order. */
  categoriesOf(imageId: number): number[] {
    return (this.tableOf.get(imageId) ?? []).filter((_, i) => i % TABLE_STRIDE === 0);
  }

  /** Annotations of an image, in file order. @throws {BadRowError} naming entry and field of the first invalid value */
  annotationsOf(imageId: number): Instance[] {
    const table = this.tableOf.get(imageId) ?? [];
    const found: Instance[] = [];
    for (let i = 0; i < table.length; i += TABLE_STRIDE) {
      const [, begin, end, index] = table.slice(i, i + TABLE_STRIDE) as [number, number, number, number];
      found.push(
        checked(
          annotation,
          this.ids.withNumbers('boxes', this.ranges.value(begin, end)),
          `${this.path}: annotations[${index}]`,
        ),
      );
    }
    return found;
  }

  /** The id of an image or category as the file states it. */
  statedId(list: 'images' | 'categories', id: number): number | string {
    return this.ids.stated(list, id);
  }

  /** An entry with its ids as the file states them. */
  asStated<Entry>(list: 'images' | 'boxes' | 'categories', entry: Entry): Entry {
    return this.ids.asStated(list, entry);
  }

  close(): void {
    this.ranges.close();
  }
}

/**
 * The segmentation of an annotation; undefined for a crowd without one.
 * @throws {BadRowError} if it is broken, or an object has none
 */
export const segmentationOf = (
  {
    id,
    image_id,
    iscrowd,
    segmentation,
  }: Pick<Instance, 'id' | 'image_id' | 'iscrowd'> & {
    readonly segmentation?: unknown;
  },
  path: string,
): Segmentation | undefined => {
  const location = `${path}: annotation ${id ?? `of image ${image_id}`}`;
  const parsed = parseSegmentation(segmentation);
  if (parsed.kind === 'mask') return parsed.segmentation;
  if (parsed.kind === 'broken') throw new BadRowError(`${location}: segmentation${parsed.field} ${parsed.message}`);
  if (iscrowd === 1) return undefined;
  throw new BadRowError(`${location} has no segmentation, but masks were requested: annotate it, or leave out --masks`);
};

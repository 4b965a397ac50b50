import { z } from 'zod';
import { MdetrError } from '../errors.ts';
import type { Segmentation } from '../data/format/coco-format.ts';
import { checked } from './checked.ts';
import { instanceFields, megabyteSteps } from './coco-instances.ts';
import { readJsonLists, withPauses } from './json-entries.ts';
import { JsonRanges } from './json-ranges.ts';
import type { PreparationProgress } from './preparation.ts';

const place = z.looseObject({ image_id: z.int(), category_id: z.int() });

const annotation = z.looseObject(instanceFields);
/** A box of COCO or LVIS. */
export type Instance = z.output<typeof annotation>;

const category = z.looseObject({ id: z.int(), name: z.string().min(1) });
export type InstanceCategory = z.output<typeof category>;

/** What every image entry has at least. */
export interface NumberedImage {
  readonly id: number;
}

/** Numbers a box has in the table: category, and where its text begins and ends. */
const LANES = 3;

/**
 * A file in COCO's format, opened for work image by image: images and categories are in memory, boxes are read when
 * they are asked for. Takes about 30 bytes of memory a box, and one pass over the file to open.
 */
export class InstanceFile<Image extends NumberedImage> {
  readonly path: string;
  readonly images: readonly Image[];
  readonly categories: readonly InstanceCategory[];
  /** Boxes of images that are not there. */
  readonly orphans: number;
  private readonly boxesOf: ReadonlyMap<number, readonly number[]>;
  private readonly ranges: JsonRanges;

  private constructor(
    path: string,
    images: readonly Image[],
    categories: readonly InstanceCategory[],
    boxesOf: ReadonlyMap<number, readonly number[]>,
  ) {
    this.path = path;
    this.images = images;
    this.categories = categories;
    this.boxesOf = boxesOf;
    const known = new Set(images.map(({ id }) => id));
    let orphans = 0;
    for (const [image, boxes] of boxesOf) if (!known.has(image)) orphans += boxes.length / LANES;
    this.orphans = orphans;
    this.ranges = new JsonRanges(path);
  }

  /**
   * @param imageSchema what image entries must be
   * @throws MdetrError naming entry and field of what is not as it must be
   */
  static async open<Schema extends z.ZodType<NumberedImage>>(
    path: string,
    imageSchema: Schema,
    progress: PreparationProgress,
  ): Promise<InstanceFile<z.output<Schema>>> {
    const images = new Map<number, z.output<Schema>>();
    const categories: InstanceCategory[] = [];
    const boxesOf = new Map<number, number[]>();
    const onProgress = megabyteSteps(`reading ${path}, MB`, progress);
    const entries = readJsonLists(path, ['images', 'annotations', 'categories'], { onProgress });
    for await (const entry of withPauses(entries)) {
      const at = `${path}: ${entry.place}`;
      if (entry.list === 'categories') categories.push(checked(category, entry.value, at));
      else if (entry.list === 'images') {
        const image = checked(imageSchema, entry.value, at);
        if (images.has(image.id)) throw new MdetrError(`${at}: image id ${image.id} occurs twice`);
        images.set(image.id, image);
      } else {
        const { image_id, category_id } = checked(place, entry.value, at);
        const own = boxesOf.get(image_id);
        if (own === undefined) boxesOf.set(image_id, [category_id, entry.begin, entry.end]);
        else own.push(category_id, entry.begin, entry.end);
      }
    }
    return new InstanceFile(path, [...images.values()], categories, boxesOf);
  }

  /** Categories of an image's boxes, in the order of the file. */
  categoriesOf(image: number): number[] {
    return (this.boxesOf.get(image) ?? []).filter((_, i) => i % LANES === 0);
  }

  /** The boxes of an image, in the order of the file. */
  annotationsOf(image: number): Instance[] {
    const table = this.boxesOf.get(image) ?? [];
    const found: Instance[] = [];
    for (let i = 0; i < table.length; i += LANES) {
      const [, begin, end] = table.slice(i, i + LANES) as [number, number, number];
      found.push(checked(annotation, this.ranges.value(begin, end), `${this.path}: annotation at byte ${begin}`));
    }
    return found;
  }

  close(): void {
    this.ranges.close();
  }
}

/** The mask of a box, as it stands in the file; reading a row looks at it more closely. */
export const segmentationOf = ({ id, segmentation }: Instance, path: string): Segmentation => {
  if (typeof segmentation !== 'object' || segmentation === null)
    throw new MdetrError(`${path}: annotation ${id} has no segmentation, but masks are asked for`);
  return segmentation as Segmentation;
};

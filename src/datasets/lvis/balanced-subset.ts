import { MdetrError } from '../../errors.ts';
import { PythonRandom } from './python-random.ts';

/** The data of LVIS that determine which images a subset has. */
export interface SubsetSource {
  readonly path: string;
  readonly images: readonly {
    readonly id: number;
    readonly neg_category_ids: readonly number[];
    readonly not_exhaustive_category_ids: readonly number[];
  }[];
  readonly categories: readonly { readonly id: number; readonly image_count: number }[];
  /** Category ids of an image's boxes. */
  categoriesOf(imageId: number): readonly number[];
}

/** Seed of the official script. */
const SEED = 42;

/**
 * Samples the images of the official 1 % and 10 % subsets of LVIS. Each image is sampled from those that show the
 * category with the fewest images so far, every tenth from those known not to show the category with the fewest such
 * images so far; so every category occurs. Uses Python's random number generator, like the official script.
 * @param fraction fraction of the images to take, from 0 to 1
 * @returns ids of the images
 * @throws {MdetrError} if the file is too small for a subset with all categories
 */
export const balancedSubset = (source: SubsetSource, fraction: number): ReadonlySet<number> => {
  const { images, categories } = source;
  const size = Math.trunc(images.length * fraction);
  const shown = new Map<number, Set<number>>();
  const shownIn = new Map<number, Set<number>>();
  const show = (category: number, image: number): void => {
    addTo(shown, category, image);
    addTo(shownIn, image, category);
  };
  for (const { id, not_exhaustive_category_ids: open } of images)
    for (const category of source.categoriesOf(id)) if (!open.includes(category)) show(category, id);
  // Categories that are annotated exhaustively in no image count too.
  const nowhere = new Set(categories.map(({ id }) => id).filter((id) => !shown.has(id)));
  for (const { id } of images)
    for (const category of source.categoriesOf(id)) if (nowhere.has(category)) show(category, id);
  const absent = new Map<number, Set<number>>();
  for (const { id, neg_category_ids } of images) for (const category of neg_category_ids) addTo(absent, category, id);

  const order = categories.toSorted((a, b) => b.image_count - a.image_count || b.id - a.id).map(({ id }) => id);
  const present = new RarestFirst(order, shown);
  const missing = new RarestFirst(order, absent);
  const random = new PythonRandom(SEED);
  const chosen = new Set<number>();
  const negatives = new Map(images.map((image) => [image.id, image.neg_category_ids]));
  for (let j = 0; j < size; j++) {
    const candidates = (j % 10 === 0 ? missing : present).candidates(chosen);
    if (candidates === undefined)
      throw new MdetrError(
        `${source.path}: no image is left for position ${j} of a subset of ${size}; is the file complete?`,
      );
    const image = random.choice(candidates);
    for (const category of shownIn.get(image) ?? []) present.count(category);
    chosen.add(image);
    for (const category of negatives.get(image)!) missing.count(category);
  }
  const unseen = present.unseen;
  if (unseen.length > 0)
    throw new MdetrError(
      `${source.path}: a subset of ${size} images shows no object of ${unseen.length} categories ` +
        `(${unseen.slice(0, 5).join(', ')}); the file is too small`,
    );
  return chosen;
};

const addTo = (sets: Map<number, Set<number>>, key: number, value: number): void => {
  const set = sets.get(key);
  if (set === undefined) sets.set(key, new Set([value]));
  else set.add(value);
};

/** Finds the category that was counted least often; among equals, the last one in the given order. */
class RarestFirst {
  private readonly counts: Map<number, number>;
  private readonly imagesOf: ReadonlyMap<number, ReadonlySet<number>>;
  private readonly exhausted = new Set<number>();

  constructor(order: readonly number[], imagesOf: ReadonlyMap<number, ReadonlySet<number>>) {
    this.counts = new Map(order.map((category) => [category, 0]));
    this.imagesOf = imagesOf;
  }

  count(category: number): void {
    this.counts.set(category, (this.counts.get(category) ?? 0) + 1);
  }

  /** Ids in ascending order of the images of the rarest category that has any not chosen yet; undefined if none has. */
  candidates(chosen: ReadonlySet<number>): number[] | undefined {
    for (let rarest = this.rarest(); rarest !== undefined; rarest = this.rarest()) {
      const images = [...(this.imagesOf.get(rarest) ?? [])].filter((image) => !chosen.has(image));
      if (images.length > 0) return images.sort((a, b) => a - b);
      this.exhausted.add(rarest);
    }
    return undefined;
  }

  get unseen(): number[] {
    return [...this.counts].filter(([, count]) => count === 0).map(([category]) => category);
  }

  private rarest(): number | undefined {
    let rarest: number | undefined;
    let minCount = Infinity;
    for (const [category, count] of this.counts)
      if (count <= minCount && !this.exhausted.has(category)) {
        rarest = category;
        minCount = count;
      }
    return rarest;
  }
}

import { Random } from '../../random/random.ts';
import type { Remarks } from '../preparation/remarks.ts';
import { nearDuplicateStem } from './image-names.ts';
import type { ImportSplit } from './importer.ts';
import type { PlacedImage } from './placed-images.ts';

/** Options of splitting an imported data set. */
export interface SplitOptions {
  /** Fraction of the images for validation, where the source states none. */
  readonly valFraction: number;
  readonly seed: number;
  readonly notes: Remarks;
}

/** Images by split. */
export type SplitImages = Readonly<Record<ImportSplit, readonly PlacedImage[]>>;

/**
 * Divides images into training, validation and test. Splits that the source states stay. Without a validation part, one is
 * drawn from the training images: whole groups of near-duplicates, and no group without which training lacks a class.
 */
export const splitImages = (images: readonly PlacedImage[], options: SplitOptions): SplitImages => {
  const stated = (split: ImportSplit | undefined): PlacedImage[] => images.filter((image) => image.split === split);
  let train = [...stated('train'), ...stated(undefined)];
  let [val, test] = [stated('val'), stated('test')];
  if (train.length === 0) {
    if (val.length > 0 || test.length > 0)
      options.notes.add(
        'sources without training images, whose other images are divided anew',
        images[0]?.location ?? '',
      );
    train = val.length > 0 ? val : test;
    test = val.length > 0 ? test : [];
    val = [];
  }
  if (val.length === 0) {
    const drawn = drawValidation(train, options);
    val = train.filter((image) => drawn.has(image));
    train = train.filter((image) => !drawn.has(image));
  } else {
    const stems = new Set(train.map(({ path }) => nearDuplicateStem(path)));
    const paths = new Set(train.map(({ path }) => path));
    const torn = val.filter(({ path }) => stems.has(nearDuplicateStem(path)) && !paths.has(path));
    if (torn.length > 0)
      options.notes.add(
        'validation images whose near-duplicates are training images, as the source divides them',
        torn[0]!.path,
        torn.length,
      );
  }
  return { train, val, test };
};

const drawValidation = (images: readonly PlacedImage[], { valFraction, seed }: SplitOptions): Set<PlacedImage> => {
  const groups = new Map<string, PlacedImage[]>();
  for (const image of images) {
    const stem = nearDuplicateStem(image.path);
    const own = groups.get(stem);
    if (own === undefined) groups.set(stem, [image]);
    else own.push(image);
  }
  const stems = [...groups.keys()].sort();
  // How many groups of the training part show a class.
  const shown = new Map<string, number>();
  const classesOf = (stem: string): Set<string> =>
    new Set(groups.get(stem)!.flatMap(({ objects }) => objects.map(({ label }) => label.toLowerCase())));
  for (const stem of stems) for (const label of classesOf(stem)) shown.set(label, (shown.get(label) ?? 0) + 1);
  const wanted = valFraction === 0 || stems.length < 2 ? 0 : Math.max(1, Math.round(images.length * valFraction));
  const drawn = new Set<PlacedImage>();
  for (const index of Random.of(seed, 'validation images').permutation(stems.length)) {
    if (drawn.size >= wanted) break;
    const stem = stems[index]!;
    const [own, labels] = [groups.get(stem)!, classesOf(stem)];
    if (drawn.size + own.length > images.length / 2) continue;
    // Phrases of captions differ from image to image; only classes can be missing.
    const isClass = own.every(({ caption }) => caption === undefined);
    if (isClass && [...labels].some((label) => shown.get(label)! < 2)) continue;
    for (const label of labels) shown.set(label, shown.get(label)! - 1);
    for (const image of own) drawn.add(image);
  }
  return drawn;
};

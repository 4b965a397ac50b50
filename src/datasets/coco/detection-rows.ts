import { quoted } from '../../errors.ts';
import { codePointLength } from '../../text/spans/code-points.ts';
import type { CodePointSpan } from '../../text/spans/span.ts';
import type { BoxXywh } from '../../geometry/boxes.ts';
import { Random } from '../../random/random.ts';
import type { NewAnnotation, NewImage } from '../preparation/annotation-writer.ts';
import { BadRowError } from '../source/bad-rows.ts';
import { areaOf } from '../source/coco-instances.ts';
import { type Instance, type InstanceFile, segmentationOf } from '../source/instance-file.ts';
import type { Remarks } from '../preparation/remarks.ts';
import { CategoryMentions } from './category-mentions.ts';

export interface CocoSourceImage {
  readonly id: number;
  readonly file_name: string;
  readonly width: number;
  readonly height: number;
}

export interface DetectionRow {
  readonly image: NewImage;
  readonly annotations: readonly NewAnnotation[];
}

/** Options of `DetectionRows`. */
export interface DetectionRowOptions {
  readonly masks: boolean;
  /** Number of absent categories per image, for prompts. */
  readonly negatives: number;
  readonly seed: number;
}

/** Makes rows of COCO's images, with captions of three kinds. */
export class DetectionRows {
  private readonly source: InstanceFile<CocoSourceImage>;
  private readonly options: DetectionRowOptions;
  private readonly leftOut: Remarks;
  private readonly notes: Remarks;
  private readonly mentions: CategoryMentions;
  /** Names by id, of categories with the same name only the first. */
  private readonly names = new Map<number, string>();
  /** Id of the first category with the same name, by id. */
  private readonly firstOf = new Map<number, number>();

  constructor(
    source: InstanceFile<CocoSourceImage>,
    options: DetectionRowOptions,
    remarks: { readonly leftOut: Remarks; readonly notes: Remarks },
  ) {
    this.source = source;
    this.options = options;
    this.leftOut = remarks.leftOut;
    this.notes = remarks.notes;
    const byName = new Map<string, number>();
    for (const { id, name } of source.categories) {
      const key = name.trim().toLowerCase();
      const first = byName.get(key) ?? id;
      if (first === id) {
        byName.set(key, id);
        this.names.set(id, name);
      } else
        this.notes.add('categories with the same name, which become one', `${quoted(name)}: ids ${first} and ${id}`);
      this.firstOf.set(id, first);
    }
    this.mentions = new CategoryMentions([...this.names].map(([id, name]) => ({ id, name })));
  }

  /** Returns one row whose caption lists the categories in the image, in the order of `categories`. */
  list(image: CocoSourceImage): DetectionRow[] {
    const instances = this.instancesOf(image);
    if (instances.length === 0) {
      this.leftOut.add('images without objects', `image ${image.id}`);
      return [];
    }
    const shown = new Set(instances.map((instance) => this.categoryOf(instance)));
    const spans = new Map<number, CodePointSpan>();
    let caption = '';
    for (const [category, name] of this.names)
      if (shown.has(category)) {
        if (caption !== '') caption += ' ';
        const begin = codePointLength(caption);
        spans.set(category, [begin, begin + codePointLength(name)]);
        caption += `${name}.`;
      }
    return [this.row(image, caption, instances, (category) => [spans.get(category)!])];
  }

  /** Returns one row per category in the image, in order of their first boxes, then rows of randomly sampled absent categories. */
  prompts(image: CocoSourceImage): DetectionRow[] {
    const instances = this.instancesOf(image);
    if (instances.length === 0) this.leftOut.add('images without objects', `image ${image.id}`);
    const shown = [...new Set(instances.map((instance) => this.categoryOf(instance)))];
    const others = [...this.names.keys()].filter((category) => !shown.includes(category));
    const { negatives, seed } = this.options;
    const sampled = [...Random.of(seed, image.id, 'negatives').permutation(others.length).subarray(0, negatives)];
    const absent = instances.length === 0 ? [] : sampled.map((i) => others[i]!);
    return [...shown, ...absent].map((category) => {
      const name = this.names.get(category)!;
      const own = instances.filter((instance) => this.categoryOf(instance) === category);
      return this.row(image, name, own, () => [[0, codePointLength(name)]]);
    });
  }

  /** Returns the row of a caption, with the boxes of the categories it mentions. */
  caption(image: CocoSourceImage, caption: string): DetectionRow {
    const mentions = this.mentions.in(caption);
    const instances = this.instancesOf(image);
    const named = instances.filter((instance) => mentions.has(this.categoryOf(instance)));
    if (named.length < instances.length)
      this.leftOut.add('boxes that the caption does not mention', `image ${image.id}`, instances.length - named.length);
    return this.row(image, caption, named, (category) => mentions.get(category)!);
  }

  /** Category of an instance; of those with the same name, the first. */
  private categoryOf({ category_id }: Instance): number {
    return this.firstOf.get(category_id)!;
  }

  private instancesOf(image: CocoSourceImage): Instance[] {
    const instances = this.source.annotationsOf(image.id);
    for (const { id, bbox, iscrowd, category_id } of instances) {
      const location = id === undefined ? `image ${image.id}` : `annotation ${id}`;
      if (!this.firstOf.has(category_id))
        throw new BadRowError(
          `${this.source.path}: ${location}: category ${category_id} is not in the list of categories`,
        );
      if (iscrowd !== 0) this.notes.add('crowds', location);
      this.remarkOn(bbox, image, location);
    }
    return instances;
  }

  private remarkOn([x, y, w, h]: BoxXywh, { width, height }: CocoSourceImage, location: string): void {
    if (!(w > 0 && h > 0)) this.notes.add('boxes without area, which readers skip', location);
    // COCO rounds to hundredths.
    else if (x < 0 || y < 0 || x + w > width + 0.01 || y + h > height + 0.01)
      this.notes.add('boxes that extend beyond the image, which readers clip', location);
  }

  private row(
    image: CocoSourceImage,
    caption: string,
    instances: readonly Instance[],
    spansOf: (category: number) => readonly CodePointSpan[],
  ): DetectionRow {
    return {
      image: {
        file_name: image.file_name,
        height: image.height,
        width: image.width,
        original_id: this.source.statedId('images', image.id),
        caption,
        tokens_negative: [[0, codePointLength(caption)]],
        dataset_name: 'coco',
      },
      annotations: instances.map((instance) => ({
        area: areaOf(instance),
        iscrowd: instance.iscrowd,
        category_id: 1,
        bbox: instance.bbox,
        segmentation: this.options.masks ? segmentationOf(instance, this.source.path) : undefined,
        original_id: instance.id,
        original_category_id: this.source.statedId('categories', instance.category_id),
        tokens_positive: spansOf(this.categoryOf(instance)),
      })),
    };
  }
}

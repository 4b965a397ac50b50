import { MdetrError } from '../../errors.ts';
import { codePointLength } from '../../text/spans/code-points.ts';
import type { Span } from '../../data/format/coco-format.ts';
import type { BoxXywh } from '../../geometry/boxes.ts';
import { Random } from '../../random/random.ts';
import type { NewAnnotation, NewImage } from '../annotation-writer.ts';
import { type Instance, type InstanceFile, segmentationOf } from '../instance-file.ts';
import type { Remarks } from '../remarks.ts';
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

export interface DetectionRowOptions {
  readonly masks: boolean;
  /** Absent categories an image, for prompts. */
  readonly negatives: number;
  readonly seed: number;
}

/** Makes rows with texts of COCO's images. */
export class DetectionRows {
  private readonly source: InstanceFile<CocoSourceImage>;
  private readonly options: DetectionRowOptions;
  private readonly leftOut: Remarks;
  private readonly notes: Remarks;
  private readonly mentions: CategoryMentions;
  private readonly names: ReadonlyMap<number, string>;

  constructor(
    source: InstanceFile<CocoSourceImage>,
    options: DetectionRowOptions,
    remarks: { readonly leftOut: Remarks; readonly notes: Remarks },
  ) {
    this.source = source;
    this.options = options;
    this.leftOut = remarks.leftOut;
    this.notes = remarks.notes;
    this.mentions = new CategoryMentions(source.categories);
    this.names = new Map(source.categories.map(({ id, name }) => [id, name]));
  }

  /** One row: the names of the categories in the image, in the order of the category list. */
  list(image: CocoSourceImage): DetectionRow[] {
    const instances = this.instancesOf(image);
    if (instances.length === 0) {
      this.leftOut.add('images without objects', `image ${image.id}`);
      return [];
    }
    const shown = new Set(instances.map((instance) => instance.category_id));
    const spans = new Map<number, Span>();
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

  /** A row for every category in the image, in the order of its first box, and for some that are not in it. */
  prompts(image: CocoSourceImage): DetectionRow[] {
    const instances = this.instancesOf(image);
    if (instances.length === 0) this.leftOut.add('images without objects', `image ${image.id}`);
    const shown = [...new Set(instances.map((instance) => instance.category_id))];
    const others = [...this.names.keys()].filter((category) => !shown.includes(category));
    const { negatives, seed } = this.options;
    const drawn = [...Random.of(seed, image.id, 'negatives').permutation(others.length).subarray(0, negatives)];
    const absent = instances.length === 0 ? [] : drawn.map((i) => others[i]!);
    return [...shown, ...absent].map((category) => {
      const name = this.names.get(category)!;
      const own = instances.filter((instance) => instance.category_id === category);
      return this.row(image, name, own, () => [[0, codePointLength(name)]]);
    });
  }

  /** The row of a caption, with the boxes of the categories that it names. */
  caption(image: CocoSourceImage, caption: string): DetectionRow {
    const mentions = this.mentions.in(caption);
    const instances = this.instancesOf(image);
    const named = instances.filter((instance) => mentions.has(instance.category_id));
    if (named.length < instances.length)
      this.leftOut.add('boxes that the caption does not name', `image ${image.id}`, instances.length - named.length);
    return this.row(image, caption, named, (category) => mentions.get(category)!);
  }

  private instancesOf(image: CocoSourceImage): Instance[] {
    const instances = this.source.annotationsOf(image.id);
    for (const { id, bbox, iscrowd, category_id } of instances) {
      const place = `annotation ${id}`;
      if (!this.names.has(category_id))
        throw new MdetrError(`${this.source.path}: ${place}: category ${category_id} is not in the list of categories`);
      if (iscrowd !== 0) this.notes.add('crowds', place);
      this.remarkOn(bbox, image, place);
    }
    return instances;
  }

  private remarkOn([x, y, w, h]: BoxXywh, { width, height }: CocoSourceImage, place: string): void {
    if (!(w > 0 && h > 0)) this.notes.add('boxes without area, which readers leave out', place);
    // COCO rounds to hundredths.
    else if (x < 0 || y < 0 || x + w > width + 0.01 || y + h > height + 0.01)
      this.notes.add('boxes that reach out of the image, which readers cut off', place);
  }

  private row(
    image: CocoSourceImage,
    caption: string,
    instances: readonly Instance[],
    spansOf: (category: number) => readonly Span[],
  ): DetectionRow {
    return {
      image: {
        file_name: image.file_name,
        height: image.height,
        width: image.width,
        original_id: image.id,
        caption,
        tokens_negative: [[0, codePointLength(caption)]],
        dataset_name: 'coco',
      },
      annotations: instances.map((instance) => ({
        area: instance.area,
        iscrowd: instance.iscrowd,
        category_id: 1,
        bbox: instance.bbox,
        ...(this.options.masks && { segmentation: segmentationOf(instance, this.source.path) }),
        original_id: instance.id,
        original_category_id: instance.category_id,
        tokens_positive: spansOf(instance.category_id),
      })),
    };
  }
}

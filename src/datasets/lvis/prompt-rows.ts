import { z } from 'zod';
import { MdetrError } from '../../errors.ts';
import { codePointLength } from '../../text/spans/code-points.ts';
import type { Span } from '../../data/format/coco-format.ts';
import { RowIds, writeAnnotations } from '../annotation-writer.ts';
import { type Instance, type InstanceFile, segmentationOf } from '../instance-file.ts';
import type { PreparationRequest, PreparedFile } from '../preparation.ts';
import type { Remarks } from '../remarks.ts';

export const lvisImage = z.looseObject({
  id: z.int(),
  width: z.number().positive(),
  height: z.number().positive(),
  coco_url: z.string().regex(/\/[^/]+\/[^/]+$/, 'expected an address that ends in folder and file'),
  /** Categories that are known not to be in the image. */
  neg_category_ids: z.array(z.int()),
  /** Categories of which not every object is annotated. */
  not_exhaustive_category_ids: z.array(z.int()),
});
export type LvisImage = z.output<typeof lvisImage>;

/** `bow_(decorative_ribbons)` → `bow `, with the space at its end, as the official script has it. */
export const promptOf = (name: string): string =>
  name
    .replace(/\(.*\)/g, '')
    .replaceAll('_', ' ')
    .replaceAll('  ', ' ');

/** Writes a row for every category that an image shows, with all its boxes, and for every one known to be absent. */
export const writePrompts = (
  { out, options, progress }: Pick<PreparationRequest, 'out' | 'options' | 'progress'>,
  source: InstanceFile<LvisImage>,
  images: readonly LvisImage[],
  name: string,
  notes: Remarks,
): Promise<PreparedFile> => {
  const prompts = new Map(source.categories.map((category) => [category.id, promptOf(category.name)]));
  const masks = options['masks'] !== undefined;
  progress.step(name, images.length);
  return writeAnnotations(out, name, new RowIds(), async (writer) => {
    for (const image of images) {
      const shown = byCategory(source.annotationsOf(image.id));
      for (const category of image.neg_category_ids)
        if (shown.has(category)) notes.add('categories said to be absent that have boxes', `image ${image.id}`);
      const absent = image.neg_category_ids.map((category): [number, Instance[]] => [category, []]);
      for (const [category, instances] of [...shown, ...absent]) {
        const place = `${source.path}: image ${image.id}`;
        const prompt = prompts.get(category);
        if (prompt === undefined)
          throw new MdetrError(`${place}: category ${category} is not in the list of categories`);
        const whole: readonly Span[] = [[0, codePointLength(prompt)]];
        await writer.write(
          {
            file_name: image.coco_url.split('/').slice(-2).join('/'),
            height: image.height,
            width: image.width,
            original_id: image.id,
            coco_url: image.coco_url,
            caption: prompt,
            tokens_negative: whole,
            dataset_name: 'lvis',
          },
          instances.map((instance) => ({
            area: instance.area,
            iscrowd: 0,
            category_id: 1,
            bbox: instance.bbox,
            ...(masks && { segmentation: segmentationOf(instance, source.path) }),
            tokens_positive: whole,
          })),
          place,
        );
      }
      progress.advance();
    }
    return {};
  });
};

/** Categories in the order of their first boxes. */
const byCategory = (instances: readonly Instance[]): Map<number, Instance[]> => {
  const groups = new Map<number, Instance[]>();
  for (const instance of instances) {
    const group = groups.get(instance.category_id);
    if (group === undefined) groups.set(instance.category_id, [instance]);
    else group.push(instance);
  }
  return groups;
};

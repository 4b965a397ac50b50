import * as z from 'zod';
import { quoted } from '../../errors.ts';
import { codePointLength } from '../../text/spans/code-points.ts';
import type { CodePointSpan } from '../../text/spans/span.ts';
import { RowIds, writeAnnotations } from '../preparation/annotation-writer.ts';
import { BadRowError, type BadRows } from '../source/bad-rows.ts';
import { areaOf } from '../source/coco-instances.ts';
import { type Instance, type InstanceFile, segmentationOf } from '../source/instance-file.ts';
import type { PreparationRequest, PreparedFile } from '../preparation/preparation.ts';
import type { Remarks } from '../preparation/remarks.ts';

/** Schema of an image of LVIS. */
export const lvisImage = z.looseObject({
  id: z.int(),
  width: z.number().positive(),
  height: z.number().positive(),
  coco_url: z.string().regex(/\/[^/]+\/[^/]+$/, 'expected a URL that ends in FOLDER/FILE'),
  /** Categories known to be absent from the image. */
  neg_category_ids: z.array(z.int()),
  /** Categories whose objects are not annotated exhaustively. */
  not_exhaustive_category_ids: z.array(z.int()),
});
/** Image with what is known about absent categories. */
export type LvisImage = z.output<typeof lvisImage>;

/** Caption of a category: `bow_(decorative_ribbons)` → `bow `, with the trailing space, as in the official files. */
export const promptOf = (name: string): string =>
  name
    .replace(/\(.*\)/g, '')
    .replaceAll('_', ' ')
    .replaceAll('  ', ' ');

/**
 * Writes a row for every category in an image, with all its boxes, and for every category known to be absent.
 * @throws {MdetrError} if an annotation has an unknown category
 */
export const writePrompts = (
  { out, options, progress }: Pick<PreparationRequest, 'out' | 'options' | 'progress'>,
  source: InstanceFile<LvisImage>,
  images: readonly LvisImage[],
  name: string,
  notes: Remarks,
  badRows: BadRows,
): Promise<PreparedFile> => {
  const prompts = new Map(source.categories.map((category) => [category.id, promptOf(category.name)]));
  const idsOf = new Map<string, number[]>();
  for (const [id, prompt] of prompts) idsOf.set(prompt, [...(idsOf.get(prompt) ?? []), id]);
  for (const [prompt, ids] of idsOf)
    if (ids.length > 1)
      notes.add(
        'categories with the same caption, whose rows stay apart as in the official files',
        `${quoted(prompt)}: ids ${ids.join(', ')}`,
      );
  const masks = options['masks'] !== undefined;
  progress.step(name, images.length);
  return writeAnnotations(out, name, new RowIds(), async (writer) => {
    for (const image of images) {
      await badRows.attemptWrite(async () => {
        const shown = byCategory(source.annotationsOf(image.id));
        for (const category of image.neg_category_ids)
          if (shown.has(category)) notes.add('categories marked as absent that have boxes', `image ${image.id}`);
        const absent = image.neg_category_ids.map((category): [number, Instance[]] => [category, []]);
        for (const [category, instances] of [...shown, ...absent]) {
          const location = `${source.path}: image ${image.id}`;
          const prompt = prompts.get(category);
          if (prompt === undefined)
            throw new BadRowError(`${location}: category ${category} is not in the list of categories`);
          const entireCaption: readonly CodePointSpan[] = [[0, codePointLength(prompt)]];
          await writer.write(
            {
              file_name: image.coco_url.split('/').slice(-2).join('/'),
              height: image.height,
              width: image.width,
              original_id: source.statedId('images', image.id),
              coco_url: image.coco_url,
              caption: prompt,
              tokens_negative: entireCaption,
              dataset_name: 'lvis',
            },
            instances.map((instance) => ({
              area: areaOf(instance),
              iscrowd: 0,
              category_id: 1,
              bbox: instance.bbox,
              segmentation: masks ? segmentationOf(instance, source.path) : undefined,
              tokens_positive: entireCaption,
            })),
            location,
          );
        }
      });
      progress.advance();
    }
    return {};
  });
};

/** Groups boxes by category, in order of first occurrence. */
const byCategory = (instances: readonly Instance[]): Map<number, Instance[]> => {
  const groups = new Map<number, Instance[]>();
  for (const instance of instances) {
    const group = groups.get(instance.category_id);
    if (group === undefined) groups.set(instance.category_id, [instance]);
    else group.push(instance);
  }
  return groups;
};

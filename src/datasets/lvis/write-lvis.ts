import { join } from 'node:path';
import { JsonSections } from '../../files/json/json-sections.ts';
import { makeFolder } from '../../files/make-folder.ts';
import type { BadRows } from '../source/bad-rows.ts';
import type { InstanceFile } from '../source/instance-file.ts';
import { readJsonMembers } from '../source/json-entries.ts';
import type { PreparationRequest, PreparedFile } from '../preparation/preparation.ts';
import type { LvisImage } from './prompt-rows.ts';

/** Writes images with their boxes in LVIS' own format, without masks unless the option is set: they are 90 % of the file. */
export const writeLvis = async (
  { out, options, progress }: Pick<PreparationRequest, 'out' | 'options' | 'progress'>,
  source: InstanceFile<LvisImage>,
  images: readonly LvisImage[],
  name: string,
  badRows: BadRows,
): Promise<PreparedFile> => {
  await makeFolder(out);
  const path = join(out, name);
  const sections = await JsonSections.create(path, ['images', 'annotations']);
  let boxes = 0;
  let written = 0;
  progress.step(name, images.length);
  try {
    for (const image of images) {
      const instances = badRows.attempt(() => source.annotationsOf(image.id));
      if (instances === undefined) continue;
      written++;
      await sections.append('images', source.asStated('images', image));
      for (const instance of instances) {
        const { segmentation, ...box } = source.asStated('boxes', instance);
        await sections.append('annotations', options['masks'] === undefined ? box : { ...box, segmentation });
        boxes++;
      }
      progress.advance();
    }
    const { info = {}, licenses = [] } = readJsonMembers(source.path, ['info', 'licenses']);
    await sections.finish({
      info,
      licenses,
      images: [],
      annotations: [],
      categories: source.categories.map((category) => source.asStated('categories', category)),
    });
  } finally {
    await sections.discard();
  }
  return { path, images: written, annotations: boxes };
};

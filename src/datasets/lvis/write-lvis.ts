import { join } from 'node:path';
import { JsonSections } from '../../files/json/json-sections.ts';
import { makeFolder } from '../../files/make-folder.ts';
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
): Promise<PreparedFile> => {
  await makeFolder(out);
  const path = join(out, name);
  const sections = await JsonSections.create(path, ['images', 'annotations']);
  let boxes = 0;
  progress.step(name, images.length);
  try {
    for (const image of images) {
      await sections.append('images', image);
      for (const { segmentation, ...box } of source.annotationsOf(image.id)) {
        await sections.append('annotations', options['masks'] === undefined ? box : { ...box, segmentation });
        boxes++;
      }
      progress.advance();
    }
    const { info = {}, licenses = [] } = readJsonMembers(source.path, ['info', 'licenses']);
    await sections.finish({ info, licenses, images: [], annotations: [], categories: source.categories });
  } finally {
    await sections.discard();
  }
  return { path, images: images.length, annotations: boxes };
};

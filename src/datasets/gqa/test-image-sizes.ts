import * as z from 'zod';
import { megabyteProgress } from '../preparation/megabyte-progress.ts';
import type { PreparationRequest, SourceFile } from '../preparation/preparation.ts';
import { BadRowError, type BadRows } from '../source/bad-rows.ts';
import { checked } from '../source/checked.ts';
import { readJsonLists } from '../source/json-entries.ts';
import { sourcePath } from '../source/source-files.ts';

/** Image size that the official files state for submissions, where boxes are not evaluated. */
const SUBMISSION_SIZE = { width: 800, height: 400 };

/** Source file with the sizes of GQA's test images. */
export const TEST_IMAGES: SourceFile = {
  path: 'image_info_test2015.json',
  kind: 'file',
  holds: 'sizes of the test images, which are from COCO',
  from: 'https://cocodataset.org/#download (2015 Testing Image info)',
  size: '15 MB',
  or: ['annotations/image_info_test2015.json'],
};

/** Size of an image in pixels. @throws {BadRowError} naming the location if it is unknown */
export type SizeOf = (imageId: string, location: string) => { readonly width: number; readonly height: number };

const testImages = z.object({ id: z.number(), width: z.number().positive(), height: z.number().positive() });

/** Lookup of the sizes of images without scene graphs. These are COCO test images, named `n1234` in GQA. */
export const sizesOfTestImages = ({ from, progress }: PreparationRequest, split: string, badRows: BadRows): SizeOf => {
  if (split === 'submission') return () => SUBMISSION_SIZE;
  const path = sourcePath(from, TEST_IMAGES);
  const sizes = new Map<number, { readonly width: number; readonly height: number }>();
  const onProgress = megabyteProgress(`gqa ${split}, reading ${path}, MB`, progress);
  for (const { location, value } of readJsonLists(path, ['images'], { onProgress })) {
    const size = badRows.attempt(() => checked(testImages, value, `${path} ${location}`));
    if (size !== undefined) sizes.set(size.id, size);
  }
  return (imageId, location) => {
    const size = sizes.get(Number(imageId.replace(/^n/, '')));
    if (size === undefined)
      throw new BadRowError(`${location}: ${path} has no image ${imageId}, so its size is unknown`);
    return size;
  };
};

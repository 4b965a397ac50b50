import * as z from 'zod';
import { MdetrError } from '../../errors.ts';
import type { BadRows } from '../source/bad-rows.ts';
import { checked } from '../source/checked.ts';
import type { InstanceIds } from '../source/instance-ids.ts';

const reference = z.object({
  ref_id: z.union([z.int(), z.string()]),
  ann_id: z.int(),
  image_id: z.int(),
  category_id: z.int(),
  split: z.string(),
  file_name: z.string().min(1),
  sentences: z.array(z.object({ sent: z.string() })),
});

/** An entry of `refs(…).p`: one object of an image with the expressions that refer to it. */
export type Reference = z.output<typeof reference>;

/** Validates the contents of an unpickled `refs(…).p`. @throws {MdetrError} naming entry and field of the first wrong value, unless such entries are skipped */
export const checkReferences = (data: unknown, path: string, badRows: BadRows, ids: InstanceIds): Reference[] => {
  if (!Array.isArray(data)) throw new MdetrError(`${path}: is not a list of references`);
  const usable = badRows.usable(data, (entry, i) =>
    checked(reference, ids.withNumbers('references', entry), `${path}: [${i}]`),
  );
  return [...usable];
};

/** File name of the image: `COCO_train2014_000000581857_16.jpg` (a crop) becomes `COCO_train2014_000000581857.jpg`. */
export const imageFileName = ({ file_name: name }: Reference): string =>
  `${name.split('_').slice(0, -1).join('_')}.jpg`;

import * as z from 'zod';
import { flagField } from '../../source/coco-instances.ts';
import { numberOfText } from '../field-numbers.ts';

const id = z.union([z.int(), z.string()]).transform(String);
/** A number, or a number in quotes. */
const number = z.union([
  z.number(),
  z.string().transform((text, context) => {
    const value = numberOfText(text);
    if (value === undefined) context.addIssue(`"${text.slice(0, 40)}" is not a number`);
    return value ?? 0;
  }),
]);
/** Four numbers. */
export const boxField = z.tuple([number, number, number, number]);
const span = z.tuple([z.int(), z.int()]);

/** Other spellings of `file_name`, of exporters that do not follow COCO. */
const FILE_NAME_KEYS = ['filename', 'fileName', 'path', 'image_path', 'name', 'coco_url', 'flickr_url', 'url'] as const;

/** An entry of `images`. */
export const imageSchema = z.preprocess(
  (value) => {
    if (typeof value !== 'object' || value === null || 'file_name' in value) return value;
    const key = FILE_NAME_KEYS.find((name) => typeof (value as Record<string, unknown>)[name] === 'string');
    return key === undefined ? value : { ...value, file_name: (value as Record<string, unknown>)[key] };
  },
  z.looseObject({
    id: id.optional(),
    file_name: z.string().min(1),
    width: number.nullish(),
    height: number.nullish(),
    caption: z.string().nullish(),
  }),
);
/** An entry of `images`, checked. */
export type CocoEntry = z.output<typeof imageSchema>;
/** An entry of `categories`. */
export const categorySchema = z.looseObject({ id, name: z.union([z.string().min(1), z.number().transform(String)]) });
const segmentSchema = z.looseObject({ category_id: id, bbox: z.unknown().optional(), iscrowd: flagField });
/** An entry of `annotations`. */
export const annotationSchema = z.looseObject({
  image_id: id,
  category_id: id.nullish(),
  category_name: z.string().nullish(),
  bbox: z.union([boxField, z.tuple([])]).nullish(),
  segmentation: z.unknown().optional(),
  iscrowd: flagField,
  attributes: z.unknown().optional(),
  tokens_positive: z.array(span).nullish(),
  segments_info: z.array(segmentSchema).nullish(),
});
/** An entry of `annotations`, checked. */
export type Annotation = z.output<typeof annotationSchema>;

/**
 * Whether `iscrowd` only says that a segmentation is a run-length mask: all crowds have CVAT's attributes, or the file has
 * nothing but crowds. Official files have few crowds, and no attributes.
 */
export const marksMasksAsCrowds = (all: readonly Annotation[]): boolean => {
  const crowds = all.filter(({ iscrowd }) => iscrowd === 1);
  const isCvat = ({ attributes }: Annotation): boolean =>
    typeof attributes === 'object' && attributes !== null && 'occluded' in attributes;
  return crowds.length > 0 && (crowds.length === all.length || crowds.every(isCvat));
};

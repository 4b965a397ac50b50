import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import { MdetrError, messageOf } from '../../errors.ts';

/** One picture, by whatever file it is mentioned in: the collection it comes from and its number or name there. */
export interface ImageIdentity {
  /** `coco`, `vg`, or another collection's name. */
  readonly source: string;
  readonly id: string;
  /** Set when the file meant a Visual Genome image that is also in COCO: the size that Visual Genome states for it. */
  readonly statedSize?: { readonly width: number; readonly height: number };
}

export interface VisualGenomeImage {
  readonly width: number;
  readonly height: number;
  /** Its number in COCO, if it is there too. */
  readonly cocoId: number | undefined;
}

/** Numbers count in these collections, their files being named after them. */
const NUMBERED = new Set(['coco', 'vg']);

/**
 * Recognises pictures. COCO and Visual Genome pictures go by the number in their file name (so `COCO_train2014_000000000009.jpg`,
 * `000000000009.jpg` and `9` are one), all others by their whole file name. A Visual Genome picture that is also in COCO
 * counts as COCO's, where `visualGenome` (its `image_data.json`) says so.
 */
export class ImageIdentities {
  private readonly visualGenome: ReadonlyMap<string, VisualGenomeImage>;

  constructor(visualGenome: ReadonlyMap<string, VisualGenomeImage> = new Map()) {
    this.visualGenome = visualGenome;
  }

  /** `name` is a file name or a bare number; without a `source`, files of COCO are known by their names. */
  of(name: string, source?: string): ImageIdentity {
    const collection = source ?? (/(^|\/)COCO_[a-z]+\d+_\d+\.\w+$/.test(name) ? 'coco' : '');
    const number = /(\d+)(?:\.\w+)?$/.exec(name)?.[1];
    if (!NUMBERED.has(collection) || number === undefined) return { source: collection, id: name };
    const id = String(Number(number));
    if (collection !== 'vg') return { source: collection, id };
    const image = this.visualGenome.get(id);
    if (image?.cocoId === undefined) return { source: 'vg', id };
    const { width, height, cocoId } = image;
    return { source: 'coco', id: String(cocoId), statedSize: { width, height } };
  }
}

export const keyOf = ({ source, id }: ImageIdentity): string => `${source}:${id}`;

const imageDataSchema = z.array(
  z.object({
    image_id: z.number(),
    width: z.number().positive(),
    height: z.number().positive(),
    coco_id: z.number().nullish(),
  }),
);

/** Reads Visual Genome's `image_data.json` (17 MB, 108,077 images). */
export const readVisualGenomeImages = async (path: string): Promise<Map<string, VisualGenomeImage>> => {
  let images;
  try {
    images = imageDataSchema.parse(JSON.parse(await readFile(path, 'utf8')));
  } catch (error) {
    const reason = error instanceof z.ZodError ? z.prettifyError(error).slice(0, 200) : messageOf(error);
    throw new MdetrError(`${path}: not Visual Genome's image_data.json: ${reason}`, { cause: error });
  }
  return new Map(
    images.map(({ image_id, width, height, coco_id }) => [
      String(image_id),
      { width, height, cocoId: coco_id ?? undefined },
    ]),
  );
};

import * as z from 'zod';
import { MdetrError } from '../../errors.ts';
import { readJsonFile } from '../../files/json/json-file.ts';

/** Identity of an image across annotation files: its collection, and its id or file name there. */
export interface ImageIdentity {
  /** `coco`, `vg`, or another collection's name. */
  readonly source: string;
  readonly id: string;
  /** Size that Visual Genome states, if the file refers to a Visual Genome image that is also in COCO. */
  readonly statedSize?: { readonly width: number; readonly height: number };
}

/** Size and COCO id of an image of Visual Genome. */
export interface VisualGenomeImage {
  /** Width in pixels. */
  readonly width: number;
  /** Height in pixels. */
  readonly height: number;
  /** Id in COCO, if the image is also in COCO. */
  readonly cocoId: number | undefined;
}

/** Collections whose images are identified by the id in the file name. */
const COLLECTIONS_WITH_IDS = new Set(['coco', 'vg']);

/**
 * Identifies images. Images of COCO and Visual Genome are identified by the id in their file name (so
 * `COCO_train2014_000000000009.jpg`, `000000000009.jpg` and `9` are the same image), all others by the full file name. A
 * Visual Genome image that `visualGenome` (from `image_data.json`) lists as a COCO image is identified as that.
 */
export class ImageIdentities {
  private readonly visualGenome: ReadonlyMap<string, VisualGenomeImage>;

  constructor(visualGenome: ReadonlyMap<string, VisualGenomeImage> = new Map()) {
    this.visualGenome = visualGenome;
  }

  /**
   * Identity of an image.
   * @param name file name or id
   * @param source collection; without it, COCO is recognized by the pattern of its file names
   */
  of(name: string, source?: string): ImageIdentity {
    const collection = source ?? (/(^|\/)COCO_[a-z]+\d+_\d+\.\w+$/.test(name) ? 'coco' : '');
    const digits = /(\d+)(?:\.\w+)?$/.exec(name)?.[1];
    if (!COLLECTIONS_WITH_IDS.has(collection) || digits === undefined) return { source: collection, id: name };
    const id = String(Number(digits));
    if (collection !== 'vg') return { source: collection, id };
    const image = this.visualGenome.get(id);
    if (image?.cocoId === undefined) return { source: 'vg', id };
    const { width, height, cocoId } = image;
    return { source: 'coco', id: String(cocoId), statedSize: { width, height } };
  }
}

/** Key of an identity for maps and sets. */
export const keyOf = ({ source, id }: ImageIdentity): string => `${source}:${id}`;

const imageDataSchema = z.array(
  z.object({
    image_id: z.number(),
    width: z.number().positive(),
    height: z.number().positive(),
    coco_id: z.number().nullish(),
  }),
);

/**
 * Reads Visual Genome's `image_data.json` (17 MB, 108,077 images).
 * @returns images by id
 * @throws {MdetrError} if the file cannot be read or has another format
 */
export const readVisualGenomeImages = async (path: string): Promise<Map<string, VisualGenomeImage>> => {
  const parsed = imageDataSchema.safeParse(await readJsonFile(path));
  if (!parsed.success)
    throw new MdetrError(
      `${path}: is not Visual Genome's image_data.json: ${z.prettifyError(parsed.error).slice(0, 200)}`,
    );
  return new Map(
    parsed.data.map(({ image_id, width, height, coco_id }) => [
      String(image_id),
      { width, height, cocoId: coco_id ?? undefined },
    ]),
  );
};

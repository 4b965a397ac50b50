/** Terms under which an image came, the freest first: usable for any purpose, or only for research without and with Flickr8k. */
export const PHOTO_TIERS = ['clean', 'no-flickr8k', 'all'] as const;
/** Strictest license terms of the images that are used. */
export type PhotoTier = (typeof PHOTO_TIERS)[number];

/** Box relative to the image, xyxy. */
export type RelativeBox = readonly [x0: number, y0: number, x1: number, y1: number];

/** Labeled object of a photograph. */
export interface PhotoObject {
  readonly noun: string;
  readonly box: RelativeBox;
  /** Confidence of the label: 1 for human labels, less for those of detectors. */
  readonly weight: number;
  /** Drawn by a person; the image's other objects of the noun are then known too. */
  readonly human?: boolean;
}

/** Image file, or a part of it, placed in a composite. */
export interface PhotoPart {
  readonly file: string;
  /** Part of the file that is used. Default: all of it. */
  readonly crop?: RelativeBox;
  /** Its place in the image. Default: it fills it. */
  readonly at?: RelativeBox;
  readonly flipped?: boolean | undefined;
}

/** Caption whose phrases are grounded; indices into the objects. */
export interface PhotoCaption {
  readonly caption: string;
  readonly phrases: readonly { readonly start: number; readonly end: number; readonly objects: readonly number[] }[];
}

/** Line of a file of photographs. */
export interface PhotoRow {
  readonly id: string;
  readonly source: string;
  readonly tier: PhotoTier;
  /** Kept for evaluation; no part of it is trained on. */
  readonly heldOut?: boolean | undefined;
  readonly parts: readonly PhotoPart[];
  readonly objects: readonly PhotoObject[];
  /** Objects that may be there: neither right nor wrong, and their nouns are never called absent. */
  readonly ignored: readonly PhotoObject[];
  /** Noun of the whole image, where its box is not known for certain. */
  readonly folderNoun?: string | undefined;
  readonly captions: readonly PhotoCaption[];
  /** Weight with which the image is drawn. */
  readonly rarity?: number;
}

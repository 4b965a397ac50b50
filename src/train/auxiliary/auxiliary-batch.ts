import type { Encoding } from '../../text/index.ts';
import type { AnswerSlot } from './answer-slots.ts';
import type { Comparison } from './comparisons.ts';

/** Caption as the auxiliary losses read it, with n boxes. */
export interface AuxiliaryCaption {
  /** (n, 4) boxes in cxcywh format, relative to the image. */
  readonly boxesCxcywh: Float32Array;
  /** Classes of `answerStepsOf`; for the auxiliary loss of answers. */
  readonly answerSteps?: readonly number[];
  /** Objects that a question is about, by `answerSlotsOf`; for the auxiliary losses of answers and objects. */
  readonly answerSlots?: readonly AnswerSlot[];
  /** Comparisons that the caption makes; for the auxiliary loss of relations. */
  readonly comparisons?: readonly Comparison[];
}

/** Every object of an image, mentioned by a caption or not. M objects. */
export interface ImageObjects {
  /** (height, width) at the image's size: i + 1 where object i is visible, 0 elsewhere. */
  readonly instances: Uint8Array;
  /** (M, 4) boxes in xyxy format, relative to the image. */
  readonly boxesXyxy: Float32Array;
  /** (M, attributes) class ids of `OBJECT_ATTRIBUTES`. */
  readonly attributes: Int32Array;
  /** Objects related to every object (`relatedObjectsOf`); for the auxiliary loss of relations. */
  readonly related?: readonly (readonly (readonly number[])[])[];
  /** For each caption the object of each of its boxes. */
  readonly objectOfBox: readonly (readonly number[])[];
}

/** Image as the auxiliary losses read it. */
export interface AuxiliaryImage {
  /** Name of the image in error messages. */
  readonly id: string;
  readonly image: { readonly height: number; readonly width: number };
  readonly captions: readonly AuxiliaryCaption[];
  readonly objects?: ImageObjects;
}

/** A batch as the targets of auxiliary losses are made from. */
export interface AuxiliaryBatch {
  readonly images: readonly AuxiliaryImage[];
  /** Cells of the backbone's last map. */
  readonly grid: Grid;
  /** One encoding for each caption of the batch. */
  readonly encodings: readonly Encoding[];
  /** T, the length of the padded captions. */
  readonly tokens: number;
}

/** Size in positions of a map after a number of halvings, each rounded up. */
export const mapSize = (pixels: number, halvings: number): number => {
  let size = pixels;
  for (let k = 0; k < halvings; k++) size = Math.ceil(size / 2);
  return size;
};

/** The cells of a feature map. */
export interface Grid {
  /** Height and width of the map in positions. */
  readonly height: number;
  readonly width: number;
  /** Side of a cell in pixels. */
  readonly cell: number;
}

/** The cells of the backbone's last map for a batch of padded images. */
export const gridOf = (padded: { readonly height: number; readonly width: number }, halvings: number): Grid => ({
  height: mapSize(padded.height, halvings),
  width: mapSize(padded.width, halvings),
  cell: 2 ** halvings / 2,
});

import type { PhraseCutCounts, PhraseStructure } from './phrasecut-subsets.ts';

/** One phrase of PhraseCut's `refer_*.json`. */
export interface PhraseCutTask {
  /** Id of the phrase. */
  readonly task_id: string;
  /** Id of the image in Visual Genome. */
  readonly image_id: number;
  /** Parts of the phrase. */
  readonly phrase_structure: PhraseStructure;
  /** Box of each instance, [x, y, width, height]. */
  readonly instance_boxes: readonly (readonly number[])[];
  /** Polygons of each instance, lists of [x, y] points. */
  readonly Polygons: readonly (readonly (readonly (readonly number[])[])[])[];
}

/** One image of PhraseCut's `image_data_split.json`. */
export interface PhraseCutImage {
  /** Id in Visual Genome. */
  readonly image_id: number;
  /** Width in pixels. */
  readonly width: number;
  /** Height in pixels. */
  readonly height: number;
  /** Id in COCO, if the image is also in COCO. */
  readonly coco_id?: number | null | undefined;
}

/** Ground truth of PhraseCut. */
export interface PhraseCutGroundTruth {
  /** Phrases with their boxes and polygons. */
  readonly tasks: Iterable<PhraseCutTask>;
  /** Images of the phrases. */
  readonly images: Iterable<PhraseCutImage>;
  /** Counts that define the subsets. */
  readonly counts: PhraseCutCounts;
}

/** Options of PhraseCut's metrics. */
export interface PhraseCutOptions {
  /** Computes metrics of masks too; every prediction then needs one. Default false. */
  readonly masks?: boolean;
  /**
   * Rasterization of boxes. `official` (default) follows the official code: the last row and column of a box are missing,
   * and a negative start counts from the end of the image. `exact` keeps them, and clips boxes at the border.
   */
  readonly boxRaster?: 'official' | 'exact';
  /** Phrases without a prediction: `skip` (default) leaves them out, as in the official code; `empty` counts them as missed. */
  readonly missing?: 'skip' | 'empty';
}

/** Metrics of one subset, as in the official report. */
export interface PhraseCutSubsetResult {
  /** Number of phrases. */
  readonly count: number;
  /** Mean IoU of boxes. */
  readonly mean_box_iou: number;
  /** Fraction of phrases with a box IoU strictly above each threshold. */
  readonly pred_box_acc: Readonly<Record<string, number>>;
  /** Mean IoU of masks. */
  readonly mean_mask_iou?: number;
  /** All intersections divided by all unions. */
  readonly cum_mask_iou?: number;
  /** Fraction of phrases with a mask IoU strictly above each threshold. */
  readonly pred_mask_acc?: Readonly<Record<string, number>>;
}

/** Overlap of one prediction with its phrase; intersection and union of masks are in pixels. */
export interface PhraseCutTaskResult {
  /** IoU of the unions of boxes. */
  readonly boxIou: number;
  /** IoU of the masks. */
  readonly maskIou: number;
  /** Intersection of the masks in pixels. */
  readonly intersection: number;
  /** Union of the masks in pixels. */
  readonly union: number;
}

import type { CocoAnnotation } from '../data/format/coco-format.ts';
import type { BoxXywh } from '../geometry/boxes.ts';
import type { CocoRle } from '../geometry/run-lengths.ts';
import type { IdZero } from './average-precision.ts';

/** Ground truth in COCO's format. */
export interface CocoGroundTruth {
  /** Images with their sizes in pixels. */
  readonly images: readonly { readonly id: number; readonly width: number; readonly height: number }[];
  /** Annotated objects. */
  readonly annotations: readonly CocoAnnotation[];
  /** Categories. Default: those of the annotations. */
  readonly categories?: readonly { readonly id: number }[];
}

/** Options of COCO average precision. */
export interface CocoApOptions {
  /** Overlap of boxes or of masks. */
  readonly iouType: 'bbox' | 'segm';
  /** Match within categories. Default false: class-agnostic, as in the official evaluation of MDETR. */
  readonly useCategories?: boolean;
  /** Maximum numbers of detections of an image (and category); AP uses the last. Default [1, 10, 100]. */
  readonly maxDetections?: readonly [number, number, number];
  /**
   * Treatment of images without a prediction: `count` counts their objects as missed, as in pycocotools; `skip` leaves
   * them out, as in the official evaluation of MDETR. Both agree when all images have a prediction. Default `count`.
   */
  readonly unpredicted?: 'count' | 'skip';
  /** Whether an annotation with id 0 counts. Default: it does. */
  readonly idZero?: IdZero;
}

/** Detections of one image, with boxes as [x, y, width, height]. */
export interface XywhDetections {
  /** (N) scores. */
  readonly scores: readonly number[];
  /** (N) category ids. */
  readonly labels?: readonly number[] | undefined;
  /** (N) boxes in xywh format, in pixels. */
  readonly boxes?: readonly BoxXywh[] | undefined;
  /** (N) masks at the size of the image. */
  readonly masks?: readonly CocoRle[] | undefined;
}

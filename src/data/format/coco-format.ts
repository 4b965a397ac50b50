import type { BoxXywh } from '../../geometry/boxes.ts';
import type { CodePointSpan } from '../../text/spans/span.ts';

/*
 * The official COCO-like annotation format: a row of `images[]` is one caption of one image, and its boxes are in
 * `annotations[]`. Names are those of the files. Unknown fields are kept.
 */

/** COCO masks: polygons [x0, y0, x1, y1, …], or a run-length mask (compressed string or plain counts). */
export type Segmentation =
  readonly (readonly number[])[] | { readonly size: readonly [number, number]; readonly counts: string | number[] };

export interface CocoImage {
  readonly id: number;
  readonly file_name: string;
  /** Width of the image file in pixels; 0 where the file does not state it. */
  readonly width: number;
  /** Height of the image file in pixels; 0 where the file does not state it. */
  readonly height: number;
  readonly caption?: string;
  readonly dataset_name?: string;
  /** Image folder of the row, where an annotation file mixes several (`coco`, `vg`). */
  readonly data_source?: string;
  readonly original_id?: number | string;
  readonly tokens_negative?: readonly CodePointSpan[];
  /** Phrases to be found in Flickr30k, each with its spans. */
  readonly tokens_positive_eval?: readonly (readonly CodePointSpan[])[];
  readonly [extra: string]: unknown;
}

export interface CocoAnnotation {
  /** Some exporters write strings; nothing depends on it. */
  readonly id?: number | string;
  readonly image_id: number;
  readonly bbox: BoxXywh;
  readonly area?: number;
  /** 1 for a group of objects. */
  readonly iscrowd?: number;
  /** Not read: MDETR has no classes. */
  readonly category_id?: number | string;
  /** Spans of the caption that refer to this box. `tokens` is the older name and wins where both are given. */
  readonly tokens_positive?: readonly CodePointSpan[];
  readonly tokens?: readonly CodePointSpan[];
  readonly isfinal?: number | boolean;
  readonly segmentation?: Segmentation;
  readonly [extra: string]: unknown;
}

/** A checked row: an image with the annotations of its `image_id`, in the order of the file. */
export interface CocoRow {
  readonly image: CocoImage;
  readonly annotations: readonly CocoAnnotation[];
}

import type { BoxXywh } from '../../geometry/boxes.ts';
import type { CodePointSpan } from '../../text/spans/span.ts';

/*
 * The official COCO-like annotation format: a row of `images[]` is one caption of one image, and its boxes are in
 * `annotations[]`. Names are those of the files. Unknown fields are kept.
 */

/** COCO masks: polygons [x0, y0, x1, y1, …], or a run-length mask (compressed string or plain counts). */
export type Segmentation =
  readonly (readonly number[])[] | { readonly size: readonly [number, number]; readonly counts: string | number[] };

/** One row of an annotation file: an image with a caption. */
export interface CocoImage {
  /** Id of the row, unique in the file. */
  readonly id: number;
  /** Path of the image, relative to an image folder. */
  readonly file_name: string;
  /** Width of the image file in pixels; 0 where the file does not state it. */
  readonly width: number;
  /** Height of the image file in pixels; 0 where the file does not state it. */
  readonly height: number;
  /** Caption or question. */
  readonly caption?: string;
  /** Name of the data set, where a file mixes several; metrics are computed for each. */
  readonly dataset_name?: string;
  /** Image folder of the row, where an annotation file mixes several (`coco`, `vg`). */
  readonly data_source?: string;
  /** Id of the row in the data set's own files. */
  readonly original_id?: number | string;
  /** Spans of the caption that refer to no box of the image. */
  readonly tokens_negative?: readonly CodePointSpan[];
  /** Phrases to be found in Flickr30k, each with its spans. */
  readonly tokens_positive_eval?: readonly (readonly CodePointSpan[])[];
  /** Other fields are kept as they are. */
  readonly [extra: string]: unknown;
}

/** One object of an annotation file in MDETR's extension of the COCO format. */
export interface CocoAnnotation {
  /** Some exporters write strings; nothing depends on it. */
  readonly id?: number | string;
  /** Id of the image row. */
  readonly image_id: number;
  /** Box in xywh format, in pixels of the image file. */
  readonly bbox: BoxXywh;
  /** Area in square pixels. Default: that of the box. */
  readonly area?: number;
  /** 1 for a group of objects. */
  readonly iscrowd?: number;
  /** Not read: MDETR has no classes. */
  readonly category_id?: number | string;
  /** Spans of the caption that refer to this box. `tokens` is the older name and wins where both are given. */
  readonly tokens_positive?: readonly CodePointSpan[];
  /** Older name of `tokens_positive`. */
  readonly tokens?: readonly CodePointSpan[];
  /** Whether a referring expression means this object; landmarks have 0. */
  readonly isfinal?: number | boolean;
  /** Mask: polygons or run lengths. */
  readonly segmentation?: Segmentation;
  /** Other fields are kept as they are. */
  readonly [extra: string]: unknown;
}

/** A checked row: an image with the annotations of its `image_id`, in the order of the file. */
export interface CocoRow {
  /** The image with its caption. */
  readonly image: CocoImage;
  /** Objects of the image. */
  readonly annotations: readonly CocoAnnotation[];
}

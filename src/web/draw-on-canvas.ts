import type { RawImage } from '../data/images/raw-image.ts';
import { placeLabels, type LabelRequest } from '../drawing/label-layout.ts';
import { forEachMaskPixel } from '../drawing/mask-overlay.ts';
import { colorOf, nameDetections, type DrawableDetection, type NamedDetection } from '../drawing/phrases.ts';
import type { Size } from '../geometry/size.ts';
import type { DrawableImage } from './send-image.ts';

/** A canvas to draw on. */
export type DrawingCanvas = HTMLCanvasElement | OffscreenCanvas;

/** Boxes and the caption whose phrases name them, such as a result of `detect`. */
export interface CanvasContent {
  /** Detections to draw. */
  readonly detections: readonly DrawableDetection[];
  /** Caption, shown below the image. */
  readonly caption: string;
}

/** Parts of a drawing. */
export interface CanvasOptions {
  /** Default true. */
  readonly masks?: boolean | undefined;
  /** Default true. */
  readonly boxes?: boolean | undefined;
  /** Phrases and scores at the boxes. Default true. */
  readonly labels?: boolean | undefined;
}

type Context = CanvasRenderingContext2D | OffscreenCanvasRenderingContext2D;

/**
 * Draws an image with boxes, masks and labels on a canvas, which takes the size of the image. Colors are those of
 * `mdetr detect --out`: one for each phrase.
 *
 * @throws {MdetrError} for a mask of another size than the image
 */
export const drawDetections = (
  canvas: DrawingCanvas,
  image: DrawableImage | ImageBitmap | RawImage,
  { detections, caption }: CanvasContent,
  { masks = true, boxes = true, labels = true }: CanvasOptions = {},
): void => {
  const [height, width] = sizeOf(image);
  [canvas.width, canvas.height] = [width, height];
  const context = canvas.getContext('2d') as Context;
  if (isRawImage(image)) context.putImageData(imageDataOf(image), 0, 0);
  else context.drawImage(image, 0, 0, width, height);
  const side = Math.sqrt(width * height);
  const linePx = Math.max(2, Math.round(side * 0.0045));
  // Best last, so that it lies on top.
  const named = [...nameDetections(detections, caption).named].reverse();
  if (masks) for (const item of named) drawMask(context, item, [height, width], Math.max(1, linePx * 0.6));
  if (boxes) for (const item of named) drawBox(context, item, linePx);
  if (labels) drawLabels(context, [...named].reverse(), [height, width], Math.max(11, side * 0.024));
};

const isRawImage = (image: DrawableImage | ImageBitmap | RawImage): image is RawImage => 'channels' in image;

const imageDataOf = ({ width, height, data }: RawImage): ImageData => {
  const rgba = new ImageData(width, height);
  for (let from = 0, to = 0; from < data.length; from += 3, to += 4) {
    rgba.data[to] = data[from]!;
    rgba.data[to + 1] = data[from + 1]!;
    rgba.data[to + 2] = data[from + 2]!;
    rgba.data[to + 3] = 255;
  }
  return rgba;
};

const sizeOf = (image: DrawableImage | ImageBitmap | RawImage): Size => {
  if (isRawImage(image)) return [image.height, image.width];
  if ('naturalWidth' in image) return [image.naturalHeight, image.naturalWidth];
  if ('videoWidth' in image) return [image.videoHeight, image.videoWidth];
  if ('displayWidth' in image) return [image.displayHeight, image.displayWidth];
  if ('transform' in image) return [image.height.baseVal.value, image.width.baseVal.value];
  return [image.height, image.width];
};

/**
 * Draws the mask of one detection, tinted with its color, with a contour of `contourPx` pixels.
 *
 * @throws {MdetrError} for a mask of another size than the image
 */
const drawMask = (context: Context, item: NamedDetection, size: Size, contourPx: number): void => {
  const { mask } = item.detection;
  if (mask === undefined) return;
  const { rgb } = colorOf(item);
  const [height, width] = size;
  const layer = new OffscreenCanvas(width, height);
  const pixels = new ImageData(width, height);
  forEachMaskPixel(mask, size, size, contourPx, (pixel, opacity) => {
    pixels.data.set(rgb, pixel * 4);
    pixels.data[pixel * 4 + 3] = Math.round(255 * opacity);
  });
  layer.getContext('2d')!.putImageData(pixels, 0, 0);
  context.drawImage(layer, 0, 0);
};

const drawBox = (context: Context, item: NamedDetection, linePx: number): void => {
  const [x0, y0, x1, y1] = item.detection.box;
  const { css, dashed } = colorOf(item);
  const inset = Math.min(linePx / 2, (x1 - x0) / 2, (y1 - y0) / 2);
  const rectangle = [x0 + inset, y0 + inset, x1 - x0 - 2 * inset, y1 - y0 - 2 * inset] as const;
  context.save();
  // A dark rim keeps every color visible on every background.
  context.strokeStyle = 'rgb(0 0 0 / 0.45)';
  context.lineWidth = linePx * 1.7;
  context.strokeRect(...rectangle);
  if (dashed) context.setLineDash([linePx * 4, linePx * 2]);
  context.strokeStyle = css;
  context.lineWidth = linePx;
  context.strokeRect(...rectangle);
  context.restore();
};

const drawLabels = (
  context: Context,
  named: readonly NamedDetection[],
  [height, width]: Size,
  sizePx: number,
): void => {
  context.save();
  context.font = `${sizePx}px system-ui, sans-serif`;
  context.textBaseline = 'middle';
  const padding = sizePx * 0.25;
  const texts = named.map(({ phrase, detection }) => `${phrase?.text ?? ''} ${detection.score.toFixed(2)}`.trim());
  const requests = named.map(({ detection: { box } }, index): LabelRequest => {
    const [x0, y0, x1, y1] = box;
    return {
      width: Math.min(width, context.measureText(texts[index]!).width + 2 * padding),
      height: sizePx * 1.3,
      box: { x: x0, y: y0, width: x1 - x0, height: y1 - y0 },
    };
  });
  for (const [index, place] of placeLabels(requests, { x: 0, y: 0, width, height }).entries()) {
    const { css, ink } = colorOf(named[index]!);
    context.globalAlpha = 0.92;
    context.fillStyle = css;
    context.beginPath();
    context.roundRect(place.x, place.y, place.width, place.height, sizePx * 0.12);
    context.fill();
    context.globalAlpha = 1;
    context.fillStyle = ink;
    context.fillText(texts[index]!, place.x + padding, place.y + place.height / 2, place.width - 2 * padding);
  }
  context.restore();
};

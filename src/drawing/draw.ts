import { type RawImage } from '../data/images/raw-image.ts';
import { type Size } from '../geometry/size.ts';
import { resizeBilinear } from '../data/transforms/resize.ts';
import { captionPanel } from './caption-panel.ts';
import { ASCENT, type Typeface } from './typeface.ts';
import { placeLabels, type LabelRequest, type Rectangle } from './label-layout.ts';
import { overlayMask } from './mask-overlay.ts';
import { colorOf, nameDetections, type DrawableDetection, type NamedDetection } from './phrases.ts';

/** Boxes, caption and note that are drawn on an image. */
export interface DrawingContent {
  /** Detections to draw. */
  readonly detections: readonly DrawableDetection[];
  /** Caption, shown below the image. */
  readonly caption: string;
  /** A line below the caption, such as an answer. Default: a note if there is no detection. */
  readonly note?: string | undefined;
}

/** File format of a drawing. */
export type DrawingFormat = 'png' | 'jpeg' | 'webp';

/** Options of drawing detections. */
export interface DrawingOptions {
  /** Default `png`. */
  readonly format?: DrawingFormat | undefined;
  /** Show the scores of the boxes. Default true. */
  readonly scores?: boolean | undefined;
}

/** Minimum side in pixels: smaller images are enlarged by integer factors, so that labels are readable. */
const MIN_SIDE_PX = 400;
/** Maximum side in pixels: larger images are reduced. WebP allows 16,383, and the caption is added below. */
const MAX_SIDE_PX = 12_000;

/** The platform's part of drawing: font, rasterizer and encoder. */
export interface DrawingPlatform {
  /** The font of labels and captions. */
  typeface(): Typeface;
  /** Pixels of an SVG document: (H, W, 4) RGBA. */
  rasterize(svg: string): Promise<Uint8Array>;
  /** The bytes of an image file. */
  encode(image: RawImage, format: DrawingFormat): Promise<Uint8Array>;
}

/**
 * Draws boxes with their phrases and scores, masks, and the caption below, each phrase in the color of its boxes. Lines
 * and letters grow with the image. Returns the bytes of an image file.
 *
 * @throws {MdetrError} for a mask of another size than the image
 */
export const drawOn = async (
  platform: DrawingPlatform,
  image: RawImage,
  { detections, caption, note }: DrawingContent,
  { format = 'png', scores = true }: DrawingOptions,
): Promise<Uint8Array> => {
  const typeface = platform.typeface();
  const { phrases, named } = nameDetections(detections, caption);
  const canvasImage = imageOf(image);
  const scale = canvasImage.width / image.width;
  // The side of a square of the same area: a panorama's letters are not as large as its width would have them.
  const sidePx = Math.sqrt(canvasImage.width * canvasImage.height);
  const sizePx = Math.max(12, sidePx * 0.026);
  const linePx = Math.max(2, Math.round(sidePx * 0.0045));

  const imageSize: Size = [image.height, image.width];
  // Best last, so that it lies on top.
  for (const item of [...named].reverse())
    if (item.detection.mask !== undefined)
      overlayMask(canvasImage, item.detection.mask, imageSize, colorOf(item).rgb, Math.max(1, linePx * 0.6));

  const width = Math.max(canvasImage.width, Math.ceil(sizePx * 24));
  const left = Math.floor((width - canvasImage.width) / 2);
  const panel = captionPanel(caption, phrases, {
    width,
    sizePx,
    maxLines: Math.max(8, Math.floor(canvasImage.height / (sizePx * 1.75))),
    note: note ?? (detections.length === 0 ? 'Nothing found.' : undefined),
    typeface,
  });
  const boxes = named.map(({ detection }) => boxRectangle(detection, scale, canvasImage));
  const imageArea = { x: -left, y: 0, width, height: Math.max(canvasImage.height, sizePx * 2) };
  const imageHeight = Math.ceil(imageArea.height);
  const svg = [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${imageHeight + panel.height}">`,
    `<g transform="translate(${left})">`,
    ...named.map((item, i) => boxSvg(boxes[i]!, item, linePx)).reverse(),
    ...labelsSvg(typeface, named, boxes, imageArea, sizePx * 0.9, scores),
    '</g>',
    `<g transform="translate(0 ${imageHeight})">${panel.svg}</g>`,
    '</svg>',
  ].join('');
  const canvas = canvasWith(canvasImage, { width, height: imageHeight + panel.height, left });
  blend(canvas, await platform.rasterize(svg));
  return platform.encode(canvas, format);
};

/** A copy of the image that may be drawn into, at a size that labels fit. */
const imageOf = (image: RawImage): RawImage => {
  const longer = Math.max(image.width, image.height);
  if (longer > MAX_SIDE_PX) {
    const factor = MAX_SIDE_PX / longer;
    const side = (length: number): number => Math.max(1, Math.round(length * factor));
    return resizeBilinear(image, side(image.width), side(image.height));
  }
  const factor = Math.ceil(MIN_SIDE_PX / longer);
  if (factor <= 1) return { ...image, data: Uint8Array.from(image.data) };
  const [width, height] = [image.width * factor, image.height * factor];
  const data = new Uint8Array(width * height * 3);
  for (let y = 0, to = 0; y < height; y++)
    for (let x = 0; x < width; x++, to += 3) {
      const from = (Math.floor(y / factor) * image.width + Math.floor(x / factor)) * 3;
      data[to] = image.data[from]!;
      data[to + 1] = image.data[from + 1]!;
      data[to + 2] = image.data[from + 2]!;
    }
  return { width, height, channels: 3, data };
};

/** The image on light gray: it may be narrower than its caption. */
const canvasWith = (
  image: RawImage,
  { width, height, left }: { width: number; height: number; left: number },
): RawImage => {
  const data = new Uint8Array(width * height * 3).fill(0xe8);
  for (let y = 0; y < image.height; y++)
    data.set(image.data.subarray(y * image.width * 3, (y + 1) * image.width * 3), (y * width + left) * 3);
  return { width, height, channels: 3, data };
};

/** Lays (H, W, 4) RGBA over the canvas, in place. Not with `sharp`, which takes ten times as long on 12 megapixels. */
const blend = (canvas: RawImage, overlay: Uint8Array): void => {
  const { data } = canvas;
  for (let from = 0, to = 0; from < overlay.length; from += 4, to += 3) {
    const alpha = overlay[from + 3]!;
    if (alpha === 0) continue;
    for (let channel = 0; channel < 3; channel++)
      data[to + channel] = Math.round((overlay[from + channel]! * alpha + data[to + channel]! * (255 - alpha)) / 255);
  }
};

/** The box on the canvas, in integer pixels so that lines stay sharp, clipped to the image. */
const boxRectangle = ({ box }: DrawableDetection, scale: number, { width, height }: RawImage): Rectangle => {
  const clamp = (value: number, max: number): number => Math.min(Math.max(Math.round(value * scale), 0), max);
  const [x0, y0, x1, y1] = [clamp(box[0], width), clamp(box[1], height), clamp(box[2], width), clamp(box[3], height)];
  return { x: Math.min(x0, x1), y: Math.min(y0, y1), width: Math.abs(x1 - x0), height: Math.abs(y1 - y0) };
};

const boxSvg = (box: Rectangle, item: NamedDetection, linePx: number): string => {
  const { css, dashed } = colorOf(item);
  // The line lies inside the box, so that it is visible at the image's edge too.
  const inset = Math.min(linePx / 2, box.width / 2, box.height / 2);
  const shape =
    `x="${px(box.x + inset)}" y="${px(box.y + inset)}" ` +
    `width="${px(box.width - 2 * inset)}" height="${px(box.height - 2 * inset)}" fill="none"`;
  const dashes = dashed ? ` stroke-dasharray="${px(linePx * 4)} ${px(linePx * 2)}"` : '';
  // A dark rim keeps every color visible on every background.
  return (
    `<rect ${shape} stroke="#000" stroke-opacity="0.45" stroke-width="${px(linePx * 1.7)}"/>` +
    `<rect ${shape} stroke="${css}" stroke-width="${px(linePx)}"${dashes}/>`
  );
};

/** Maximum fraction of the image that labels cover while they stay readable; many boxes get smaller labels. */
const LABEL_AREA_FRACTION = 0.15;

const labelsSvg = (
  typeface: Typeface,
  named: readonly NamedDetection[],
  boxes: readonly Rectangle[],
  imageArea: Rectangle,
  fullSizePx: number,
  scores: boolean,
): string[] => {
  const texts = named.map(({ detection, phrase }) => {
    const score = scores ? ` ${detection.score.toFixed(2)}` : '';
    const tag = detection.tag === undefined ? '' : `${detection.tag} `;
    if (phrase === undefined) return `${tag}${score.trim()}`;
    const maxWidth = Math.min(imageArea.width - fullSizePx * 0.5, fullSizePx * 18) - typeface.width(score, fullSizePx);
    return `${tag}${typeface.fit(phrase.text, fullSizePx, maxWidth)}${score}`;
  });
  const fullArea = texts.reduce((sum, text) => sum + typeface.width(text, fullSizePx) * fullSizePx * 1.3, 0);
  const shrink = Math.sqrt(Math.min(1, (LABEL_AREA_FRACTION * imageArea.width * imageArea.height) / fullArea));
  const sizePx = Math.max(fullSizePx * shrink, Math.min(fullSizePx, Math.max(11, fullSizePx * 0.6)));
  const padding = sizePx * 0.25;
  const requests = texts.map((text, i): LabelRequest => ({
    width: typeface.width(text, sizePx) + 2 * padding,
    height: sizePx * 1.3,
    box: boxes[i]!,
  }));
  return placeLabels(requests, imageArea).map(({ x, y, width, height }, i) => {
    const { css, ink } = colorOf(named[i]!);
    const path = typeface.path(texts[i]!, x + padding, y + (ASCENT + 0.07) * sizePx, sizePx);
    return (
      `<rect x="${px(x)}" y="${px(y)}" width="${px(width)}" height="${px(height)}" rx="${px(sizePx * 0.12)}" ` +
      `fill="${css}" fill-opacity="0.92"/><path fill="${ink}" d="${path}"/>`
    );
  });
};

/** Rounds to tenths of a pixel, the precision that anti-aliasing shows. */
const px = (value: number): string => String(Math.round(value * 10) / 10);

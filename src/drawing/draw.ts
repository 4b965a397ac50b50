import sharp, { type Sharp } from 'sharp';
import { type RawImage } from '../data/images/raw-image.ts';
import { type Size } from '../geometry/size.ts';
import { resizeBilinear } from '../data/transforms/resize.ts';
import { captionPanel } from './caption-panel.ts';
import { ascent, fitText, textPath, textWidth } from './font.ts';
import { placeLabels, type LabelRequest, type Rectangle } from './label-layout.ts';
import { overlayMask } from './mask-overlay.ts';
import { colorOf, nameDetections, type DrawableDetection, type NamedDetection } from './phrases.ts';

/** What the picture shows. */
export interface DrawingContent {
  readonly detections: readonly DrawableDetection[];
  readonly caption: string;
  /** A line below the caption, such as an answer. By default it says so when there is no detection. */
  readonly note?: string;
}

export type DrawingFormat = 'png' | 'jpeg' | 'webp';

export interface DrawingOptions {
  /** Default `png`. */
  readonly format?: DrawingFormat;
}

/** Smaller pictures are enlarged by whole factors: a label needs some pixels. */
const minSidePx = 400;
/** Larger ones are shrunk: WebP ends at 16,383 pixels, and the caption still comes below. */
const maxSidePx = 12_000;

/**
 * Draws boxes with their phrases and scores, masks, and the caption below, each phrase in the colour of its boxes.
 * Lines and letters grow with the picture. Returns the encoded file. Throws `MdetrError` for a mask of another size.
 */
export const drawDetections = async (
  image: RawImage,
  { detections, caption, note }: DrawingContent,
  { format = 'png' }: DrawingOptions = {},
): Promise<Buffer> => {
  const { phrases, named } = nameDetections(detections, caption);
  const picture = imageOf(image);
  const scale = picture.width / image.width;
  // The side of a square of the same area: a panorama's letters are not as large as its width would have them.
  const sidePx = Math.sqrt(picture.width * picture.height);
  const sizePx = Math.max(12, sidePx * 0.026);
  const linePx = Math.max(2, Math.round(sidePx * 0.0045));

  const imageSize: Size = [image.height, image.width];
  // Best last, so that it lies on top.
  for (const item of [...named].reverse())
    if (item.detection.mask !== undefined)
      overlayMask(picture, item.detection.mask, imageSize, colorOf(item).rgb, Math.max(1, linePx * 0.6));

  const width = Math.max(picture.width, Math.ceil(sizePx * 24));
  const left = Math.floor((width - picture.width) / 2);
  const panel = captionPanel(caption, phrases, {
    width,
    sizePx,
    maxLines: Math.max(8, Math.floor(picture.height / (sizePx * 1.75))),
    ...withNote(note ?? (detections.length === 0 ? 'Nothing found.' : undefined)),
  });
  const boxes = named.map(({ detection }) => boxRectangle(detection, scale, picture));
  const room = { x: -left, y: 0, width, height: Math.max(picture.height, sizePx * 2) };
  const imageHeight = Math.ceil(room.height);
  const svg = [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${imageHeight + panel.height}">`,
    `<g transform="translate(${left})">`,
    ...named.map((item, i) => boxSvg(boxes[i]!, item, linePx)).reverse(),
    ...labelsSvg(named, boxes, room, sizePx * 0.9),
    '</g>',
    `<g transform="translate(0 ${imageHeight})">${panel.svg}</g>`,
    '</svg>',
  ].join('');
  const canvas = canvasWith(picture, { width, height: imageHeight + panel.height, left });
  blend(canvas, await sharp(Buffer.from(svg)).ensureAlpha().raw({ depth: 'uchar' }).toBuffer());
  const raw = { width: canvas.width, height: canvas.height, channels: canvas.channels };
  return await encoders[format](sharp(canvas.data, { raw })).toBuffer();
};

const encoders: { readonly [F in DrawingFormat]: (drawn: Sharp) => Sharp } = {
  png: (drawn) => drawn.png(),
  // Full colour resolution: halved, thin coloured lines fray.
  jpeg: (drawn) => drawn.jpeg({ quality: 92, chromaSubsampling: '4:4:4' }),
  webp: (drawn) => drawn.webp({ quality: 92, effort: 2 }),
};

const withNote = (note: string | undefined): { note?: string } => (note === undefined ? {} : { note });

/** A copy of the image that may be drawn into, at a size that labels fit. */
const imageOf = (image: RawImage): RawImage => {
  const longer = Math.max(image.width, image.height);
  if (longer > maxSidePx) {
    const factor = maxSidePx / longer;
    const side = (length: number): number => Math.max(1, Math.round(length * factor));
    return resizeBilinear(image, side(image.width), side(image.height));
  }
  const factor = Math.ceil(minSidePx / longer);
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

/** The picture on light grey: it may be narrower than its caption. */
const canvasWith = (
  image: RawImage,
  { width, height, left }: { width: number; height: number; left: number },
): RawImage => {
  const data = new Uint8Array(width * height * 3).fill(0xe8);
  for (let y = 0; y < image.height; y++)
    data.set(image.data.subarray(y * image.width * 3, (y + 1) * image.width * 3), (y * width + left) * 3);
  return { width, height, channels: 3, data };
};

/** Lays (H, W, 4) RGBA over the canvas, in place. By hand: the library's way takes ten times as long on 12 megapixels. */
const blend = (canvas: RawImage, overlay: Uint8Array): void => {
  const { data } = canvas;
  for (let from = 0, to = 0; from < overlay.length; from += 4, to += 3) {
    const alpha = overlay[from + 3]!;
    if (alpha === 0) continue;
    for (let channel = 0; channel < 3; channel++)
      data[to + channel] = Math.round((overlay[from + channel]! * alpha + data[to + channel]! * (255 - alpha)) / 255);
  }
};

/** The box on the picture, in whole pixels (lines stay sharp), cut off at its edges. */
const boxRectangle = ({ box }: DrawableDetection, scale: number, { width, height }: RawImage): Rectangle => {
  const clamp = (value: number, max: number): number => Math.min(Math.max(Math.round(value * scale), 0), max);
  const [x0, y0, x1, y1] = [clamp(box[0], width), clamp(box[1], height), clamp(box[2], width), clamp(box[3], height)];
  return { x: Math.min(x0, x1), y: Math.min(y0, y1), width: Math.abs(x1 - x0), height: Math.abs(y1 - y0) };
};

const boxSvg = (box: Rectangle, item: NamedDetection, linePx: number): string => {
  const { css, dashed } = colorOf(item);
  // The line lies inside of the box, so that it is whole at the picture's edge too.
  const inset = Math.min(linePx / 2, box.width / 2, box.height / 2);
  const shape =
    `x="${px(box.x + inset)}" y="${px(box.y + inset)}" ` +
    `width="${px(box.width - 2 * inset)}" height="${px(box.height - 2 * inset)}" fill="none"`;
  const dashes = dashed ? ` stroke-dasharray="${px(linePx * 4)} ${px(linePx * 2)}"` : '';
  // A dark rim keeps every colour visible on every ground.
  return (
    `<rect ${shape} stroke="#000" stroke-opacity="0.45" stroke-width="${px(linePx * 1.7)}"/>` +
    `<rect ${shape} stroke="${css}" stroke-width="${px(linePx)}"${dashes}/>`
  );
};

/** Labels cover at most this share of the picture, as long as they stay readable; many boxes get smaller ones. */
const labelShare = 0.15;

const labelsSvg = (
  named: readonly NamedDetection[],
  boxes: readonly Rectangle[],
  room: Rectangle,
  fullSizePx: number,
): string[] => {
  const texts = named.map(({ detection, phrase }) => {
    const score = detection.score.toFixed(2);
    if (phrase === undefined) return score;
    const most = Math.min(room.width - fullSizePx * 0.5, fullSizePx * 18) - textWidth(` ${score}`, fullSizePx);
    return `${fitText(phrase.text, fullSizePx, most)} ${score}`;
  });
  const fullArea = texts.reduce((sum, text) => sum + textWidth(text, fullSizePx) * fullSizePx * 1.3, 0);
  const shrink = Math.sqrt(Math.min(1, (labelShare * room.width * room.height) / fullArea));
  const sizePx = Math.max(fullSizePx * shrink, Math.min(fullSizePx, Math.max(11, fullSizePx * 0.6)));
  const padding = sizePx * 0.25;
  const requests = texts.map((text, i): LabelRequest => ({
    width: textWidth(text, sizePx) + 2 * padding,
    height: sizePx * 1.3,
    box: boxes[i]!,
  }));
  return placeLabels(requests, room).map(({ x, y, width, height }, i) => {
    const { css, ink } = colorOf(named[i]!);
    const path = textPath(texts[i]!, x + padding, y + (ascent + 0.07) * sizePx, sizePx);
    return (
      `<rect x="${px(x)}" y="${px(y)}" width="${px(width)}" height="${px(height)}" rx="${px(sizePx * 0.12)}" ` +
      `fill="${css}" fill-opacity="0.92"/><path fill="${ink}" d="${path}"/>`
    );
  });
};

/** Tenths of a pixel: what anti-aliasing shows. */
const px = (value: number): string => String(Math.round(value * 10) / 10);

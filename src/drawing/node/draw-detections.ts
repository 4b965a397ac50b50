import type { RawImage } from '../../data/images/raw-image.ts';
import { drawOn, type DrawingContent, type DrawingOptions } from '../draw.ts';
import { nodePlatform } from './platform.ts';

/**
 * Draws boxes with their phrases and scores, masks, and the caption below, each phrase in the color of its boxes. Returns
 * the bytes of an image file.
 *
 * @throws {MdetrError} for a mask of another size than the image
 */
export const drawDetections = (
  image: RawImage,
  content: DrawingContent,
  options: DrawingOptions = {},
): Promise<Uint8Array> => drawOn(nodePlatform, image, content, options);

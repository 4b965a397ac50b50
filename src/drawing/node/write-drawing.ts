import { extname } from 'node:path';
import { UsageError } from '../../errors.ts';
import { replaceFile } from '../../files/atomic-file.ts';
import type { RawImage } from '../../data/images/raw-image.ts';
import type { DrawingContent, DrawingFormat } from '../draw.ts';
import { drawDetections } from './draw-detections.ts';

const formatOfEnding: Readonly<Record<string, DrawingFormat>> = {
  '.png': 'png',
  '.jpg': 'jpeg',
  '.jpeg': 'jpeg',
  '.webp': 'webp',
};

/** Format of a drawing by its file extension. Check it before the work. @throws {UsageError} for another extension */
export const drawingFormatOf = (path: string): DrawingFormat => {
  const format = formatOfEnding[extname(path).toLowerCase()];
  if (format === undefined)
    throw new UsageError(`${path}: a drawing is written as .png, .jpg or .webp; end its name with one of them.`);
  return format;
};

/**
 * Draws as `drawDetections` does and writes a `.png`, `.jpg` or `.webp`, completely or not at all. An older file of that
 * name is replaced.
 *
 * @throws {UsageError} for another file extension
 * @throws {MdetrError} if the file cannot be written
 */
export const writeDrawing = async (path: string, image: RawImage, content: DrawingContent): Promise<void> => {
  const bytes = await drawDetections(image, content, { format: drawingFormatOf(path) });
  await replaceFile(path, bytes);
};

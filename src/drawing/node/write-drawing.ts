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

/** The format that a file's ending asks for. Throws `UsageError` for any other: ask before the work, not after. */
export const drawingFormatOf = (path: string): DrawingFormat => {
  const format = formatOfEnding[extname(path).toLowerCase()];
  if (format === undefined)
    throw new UsageError(`${path}: a drawing is written as .png, .jpg or .webp; end its name with one of them.`);
  return format;
};

/**
 * Draws as `drawDetections` and writes the file that its ending asks for: whole, or not at all. An older file of that
 * name is replaced. Throws `UsageError` for another ending and `MdetrError` when it cannot be written.
 */
export const writeDrawing = async (path: string, image: RawImage, content: DrawingContent): Promise<void> => {
  const bytes = await drawDetections(image, content, { format: drawingFormatOf(path) });
  await replaceFile(path, bytes);
};

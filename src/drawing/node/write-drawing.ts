import { replaceFile } from '../../files/atomic-file.ts';
import type { RawImage } from '../../data/images/raw-image.ts';
import type { DrawingContent } from '../draw.ts';
import { drawDetections } from './draw-detections.ts';
import { drawingFormatOf } from './drawing-format.ts';

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

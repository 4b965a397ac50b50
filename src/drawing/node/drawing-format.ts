import { extname } from 'node:path';
import { UsageError } from '../../errors.ts';
import type { DrawingFormat } from '../draw.ts';

const FORMAT_OF_ENDING: Readonly<Record<string, DrawingFormat>> = {
  '.png': 'png',
  '.jpg': 'jpeg',
  '.jpeg': 'jpeg',
  '.webp': 'webp',
};

/** Format of a drawing by its file extension. Check it before the work. @throws {UsageError} for another extension */
export const drawingFormatOf = (path: string): DrawingFormat => {
  const format = FORMAT_OF_ENDING[extname(path).toLowerCase()];
  if (format === undefined)
    throw new UsageError(`${path}: a drawing is written as .png, .jpg or .webp; end its name with one of them.`);
  return format;
};

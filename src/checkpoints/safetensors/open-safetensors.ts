import { openFileSource } from '../file-source.ts';
import { type SafetensorsFile, safetensorsOf } from './safetensors.ts';

/**
 * Opens a safetensors file and checks its header: shapes, dtypes, and that the tensors cover the rest of the file without
 * gaps or overlaps.
 * @throws {MdetrError} if the file is missing or damaged
 */
export const openSafetensors = async (path: string): Promise<SafetensorsFile> =>
  safetensorsOf(await openFileSource(path));

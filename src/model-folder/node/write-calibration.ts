import { stat } from 'node:fs/promises';
import { dirname, extname, join } from 'node:path';
import { UsageError } from '../../errors.ts';
import { replaceFile } from '../../files/atomic-file.ts';
import { withJsonKey } from '../../files/json/json-edit.ts';
import { readTextFile } from '../../files/json/json-file.ts';
import { findPackageFile } from '../../files/package-folder.ts';
import { CALIBRATION_KEY, calibrationOf, type Calibration } from '../calibration.ts';
import { MODEL_VERSION, MODEL_VERSION_KEY } from '../format-version.ts';
import { MODEL_FILE_NAMES } from '../layout.ts';
import { calibrationFileOf, isFile, resolveModelPath } from './model-files.ts';

/**
 * Writes the calibration of a model: under the key `calibration` of a model folder's `config.json`, every other character of
 * which stays as it is. For a weight file, it is written beside the file as `NAME.calibration.json`. Returns the path of the
 * written file.
 *
 * @param name a model folder, a `.pth`, a `.safetensors`, or the name of an embedded or pulled model
 * @throws {MdetrError} if the model does not exist, or the file cannot be written
 * @throws {UsageError} for a model of the package
 */
export const writeCalibration = async (name: string, calibration: Calibration): Promise<string> => {
  calibrationOf({ [CALIBRATION_KEY]: calibration }, 'calibration');
  const path = await calibrationPathOf(name);
  const empty = `{\n  "${MODEL_VERSION_KEY}": ${MODEL_VERSION}\n}\n`;
  const text = (await isFile(path)) ? await readTextFile(path) : empty;
  const edited = withJsonKey(text.trim() === '{}' ? empty : text, CALIBRATION_KEY, calibration, path);
  await replaceFile(path, edited);
  return path;
};

/**
 * Path of the file that has, or will have, the calibration of a model.
 * @throws {MdetrError} if the model does not exist
 * @throws {UsageError} for a model of the package, which calls do not change
 */
export const calibrationPathOf = async (name: string): Promise<string> => {
  const path = await resolveModelPath(name);
  if (path !== name && path === findPackageFile(`models/${name}`))
    throw new UsageError(
      `model "${name}" is a part of this package, which calls do not change; make a copy of it (mdetr convert ${name} my-${name}) ` +
        'and calibrate that, or only measure (--dry-run)',
    );
  if ((await stat(path)).isDirectory()) return join(path, MODEL_FILE_NAMES.config);
  const beside = join(dirname(path), MODEL_FILE_NAMES.config);
  const isFoldersFile = extname(path) === '.safetensors' && (await isFile(beside));
  return isFoldersFile ? beside : calibrationFileOf(path);
};

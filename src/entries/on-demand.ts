import type { DecodeImageOptions, ImageSource } from '../data/images/image-source.ts';
import type { RawImage } from '../data/images/raw-image.ts';
import type { DrawingContent, DrawingOptions } from '../drawing/node/index.ts';
import type { ExportOptions } from '../export/node/export-model.ts';
import type { ExportManifest } from '../model-folder/export-manifest.ts';
import type { AnswerResult, DetectionResult, ReferResult } from '../results/types.ts';
import type { OpenTrainingOptions, Training as OpenedTraining } from '../train/run/training.ts';
import type { ConfigValues } from '../train/config/config-file.ts';

/** Functions of the main entry whose libraries (`sharp`, fonts, schemas, training) are loaded by their first call. */

/**
 * Decodes an image to 8-bit RGB, exactly as Pillow's `convert('RGB')` does. EXIF orientation is applied unless
 * `orientation` or the size in the image's annotation row (`rowSize`) says otherwise.
 *
 * @throws {MdetrError} for a file that is missing, no image, broken, or beyond a limit, and for an image of another size than `rowSize`;
 *   the message names the image
 */
export const decodeImage = async (source: ImageSource, options?: DecodeImageOptions): Promise<RawImage> =>
  (await import('../data/images/node/decode-image.ts')).decodeImage(source, options);

/**
 * Draws boxes with their phrases and scores, masks, and the caption below, each phrase in the color of its boxes. Returns
 * the bytes of an image file, PNG by default.
 *
 * @throws {MdetrError} for a mask of another size than the image
 * @example
 * const image = await decodeImage('street.jpg');
 * const png = await drawDetections(image, await model.detect(image, 'a dog'));
 */
export const drawDetections = async (
  image: RawImage,
  content: DrawingContent,
  options?: DrawingOptions,
): Promise<Uint8Array> => (await import('../drawing/node/index.ts')).drawDetections(image, content, options);

/**
 * Draws as `drawDetections` does and writes a `.png`, `.jpg` or `.webp`, completely or not at all. An older file of that
 * name is replaced.
 *
 * @throws {UsageError} for another file extension
 * @throws {MdetrError} if the file cannot be written
 */
export const writeDrawing = async (path: string, image: RawImage, content: DrawingContent): Promise<void> =>
  (await import('../drawing/node/index.ts')).writeDrawing(path, image, content);

/**
 * Checks a result that was read from JSON, such as a line of `mdetr detect --json`.
 *
 * @param where names the source in errors
 * @throws {MdetrError} for a result of a newer version, and for a value that is no result, naming the key that is wrong
 */
export const parseResult = async (
  json: unknown,
  where?: string,
): Promise<DetectionResult | ReferResult | AnswerResult> =>
  (await import('../results/schema.ts')).parseResult(json, where);

/**
 * Exports a model as ONNX for any ONNX Runtime: the programs with their weights, and beside them the configuration, the
 * vocabulary, the image preparation and a description of all inputs and outputs. The folder is written completely or not
 * at all. `MDETR.fromPretrained` loads it too.
 *
 * @param name a model folder, a `.pth`, a `.safetensors`, or the name of an embedded or pulled model
 * @param out the folder to write
 * @throws {UsageError} for unknown options, and if `out` exists and may not be replaced
 * @throws {MdetrError} if the model cannot be read or the folder cannot be written
 * @example
 * await exportModel('default', 'exported', { layout: 'hub', dtype: ['float32', 'float16'] });
 */
export const exportModel = async (name: string, out: string, options?: ExportOptions): Promise<ExportManifest> =>
  (await import('../export/node/export-model.ts')).exportModel(name, out, options);

/**
 * Opens a training for a loop of one's own. Programs import it from `mdetr/train`; here it is undeclared, for older ones.
 *
 * @internal
 */
export const Training = {
  open: async (config: string | ConfigValues, options?: OpenTrainingOptions): Promise<OpenedTraining> =>
    (await import('../train/run/training.ts')).Training.open(config, options),
} as const;

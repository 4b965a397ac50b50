import type { DecodeImageOptions, ImageSource } from '../data/images/image-source.ts';
import type { RawImage } from '../data/images/raw-image.ts';
import type { CropOptions, DrawingContent, DrawingOptions } from '../drawing/node/index.ts';
import type { ExportOptions } from '../export/node/export-model.ts';
import type { ExportManifest } from '../model-folder/export-manifest.ts';
import type { AnswerResult, DetectedObject, DetectionResult, ReferResult } from '../results/types.ts';
import type { LoadedModel } from '../inference/loaded-model.ts';
import type { OwnFrame, TrackedFrame, TrackOptions } from '../video/node/track.ts';
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
 * Draws a result on its image, given in any way that `detect` takes it. Returns the bytes of an image file, PNG by default.
 *
 * @throws {MdetrError} if the image cannot be read
 * @example
 * const result = await model.detect('street.jpg', 'a dog');
 * await writeFile('dog.png', await draw('street.jpg', result));
 */
export const draw = async (
  image: ImageSource,
  content: DrawingContent,
  options?: DrawingOptions,
): Promise<Uint8Array> => (await import('../drawing/node/index.ts')).draw(image, content, options);

/**
 * Writes a result or an image: `.png`, `.jpg` and `.webp` hold the image, with the result drawn on it if one is given;
 * `.json` holds the result.
 *
 * @throws {UsageError} for another file extension
 * @throws {MdetrError} if the image cannot be read or the file cannot be written
 * @example
 * await save('found.png', 'street.jpg', result);
 * await save('found.json', 'street.jpg', result);
 * await save('dog.png', await crop('street.jpg', result.detections[0]));
 */
export const save = async (path: string, image: ImageSource, content?: DrawingContent): Promise<void> =>
  (await import('../drawing/node/index.ts')).save(path, image, content);

/**
 * The part of an image that a detection covers, with a margin or with everything outside of its mask white.
 *
 * @throws {UsageError} if `masked` is set and the detection has no mask
 */
export const crop = async (
  image: ImageSource,
  detection: Pick<DetectedObject, 'box' | 'mask'>,
  options?: CropOptions,
): Promise<RawImage> => (await import('../drawing/node/index.ts')).crop(image, detection, options);

/**
 * Detects what a caption mentions in every frame of a video and follows each object: a phrase's object keeps its number
 * (`track`), also when it is hidden for a while, crosses another one, or the camera moves. Files and cameras are decoded by the
 * system's ffmpeg, ahead of the network.
 *
 * @param video path of a video, a camera (`camera:0`), or an iterable of frames
 * @throws {UsageError} for unknown options
 * @throws {MdetrError} if ffmpeg is missing, the video cannot be read, or as `detect`
 * @example
 * for await (const { time, detections } of track(model, 'street.mp4', 'a dog', { fps: 5 }))
 *   for (const { track: id, box } of detections) console.log(time, id, box);
 */
export async function* track(
  model: LoadedModel,
  video: string | AsyncIterable<OwnFrame> | Iterable<OwnFrame>,
  caption: string,
  options?: TrackOptions,
): AsyncGenerator<TrackedFrame, void, undefined> {
  yield* (await import('../video/node/track.ts')).track(model, video, caption, options);
}

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
 * Opens a training for a custom loop. Programs import it from `mdetr/train`; here it is undeclared, for older ones.
 *
 * @internal
 */
export const Training = {
  open: async (config: string | ConfigValues, options?: OpenTrainingOptions): Promise<OpenedTraining> =>
    (await import('../train/run/training.ts')).Training.open(config, options),
} as const;

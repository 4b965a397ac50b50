import { describeValue } from '../options/check-options.ts';
import { UsageError } from '../errors.ts';
import type { DetectionResult } from '../results/types.ts';
import type { EncodedHandle, ModelCore } from './model-core.ts';
import { DEFAULT_BATCH_SIZE, type BatchOptions, type ImageText, type InferenceOptions } from './options.ts';
import type { ImageCaption } from './text-outputs.ts';

/** Computes results for captions of encoded images, in the order of the captions. */
export type Task<R> = (
  images: EncodedHandle,
  captions: readonly ImageCaption[],
  options: InferenceOptions,
) => Promise<R[]>;

/**
 * Runs a task on one caption, which gives one result, or on several of the same image, which give an array in their order.
 *
 * @param where the call, as errors name it
 * @throws {UsageError} if the captions are neither a string nor an array of strings
 */
export const runOnTexts = async <R>(
  where: string,
  texts: string | readonly string[],
  images: () => Promise<EncodedHandle>,
  task: Task<R>,
  options: InferenceOptions,
): Promise<R | R[]> => {
  const captions = captionsOf(where, texts);
  const encoded = await images();
  const results: R[] = [];
  for (const some of chunks(captions, options.batchSize ?? DEFAULT_BATCH_SIZE))
    results.push(...(await task(encoded, some, options)));
  return typeof texts === 'string' ? results[0]! : results;
};

/** The captions of one image as input of the transformer. */
export const captionsOf = (where: string, texts: unknown): ImageCaption[] => {
  const list: readonly unknown[] = Array.isArray(texts) ? texts : [texts];
  return list.map((text, captionIndex) => {
    if (typeof text !== 'string')
      throw new UsageError(`${where}: captions must be a string or an array of strings, not ${describeValue(text)}`);
    return { image: 0, text, captionIndex };
  });
};

/**
 * Detects many captions in many images, results in the order of the items. An image that occurs several times (the same
 * object or path) is decoded and encoded once.
 */
export const detectItems = async (
  core: ModelCore,
  items: readonly ImageText<unknown>[],
  options: BatchOptions,
): Promise<DetectionResult[]> => {
  const batchSize = options.batchSize ?? DEFAULT_BATCH_SIZE;
  const names = new Map<unknown, string | undefined>();
  for (const { image, name } of items) if (!names.has(image)) names.set(image, name);
  const captions = withCaptionIndices(items);
  const results = new Map<number, DetectionResult>();
  for (const images of chunks([...names.keys()], batchSize)) {
    const named = images.map((image) => ({ image, name: names.get(image) }));
    const encoded = await core.encode(named, options);
    const about = captions.flatMap(({ item, text, captionIndex }, index) => {
      const position = images.indexOf(item.image);
      return position < 0 ? [] : [{ index, image: position, text, captionIndex }];
    });
    try {
      for (const some of chunks(about, batchSize)) {
        const found = await core.detect(encoded, some, options);
        some.forEach(({ index }, position) => results.set(index, found[position]!));
      }
    } finally {
      core.release(encoded);
    }
  }
  return items.map((_, index) => results.get(index)!);
};

/** Items with the index of their caption among those of the same image. */
export const withCaptionIndices = <T extends Pick<ImageText<unknown>, 'image' | 'text'>>(
  items: readonly T[],
): { readonly item: T; readonly text: string; readonly captionIndex: number }[] => {
  const counts = new Map<unknown, number>();
  return items.map((item) => {
    const captionIndex = counts.get(item.image) ?? 0;
    counts.set(item.image, captionIndex + 1);
    return { item, text: captionsOf('detect', item.text)[0]!.text, captionIndex };
  });
};

const chunks = <T>(values: readonly T[], size: number): T[][] =>
  Array.from({ length: Math.ceil(values.length / size) }, (_, index) => values.slice(index * size, (index + 1) * size));

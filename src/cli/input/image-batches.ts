import type { ImageList } from './image-list.ts';
import type { PlannedImage } from './image-reader.ts';

/**
 * Batches of the images that are left to do. Images of a live list are not waited for: those that are known are a batch.
 *
 * @param drawingsOf paths of the drawings of an image; called for every image of the list, in its order
 * @param isDone whether an image is left out
 */
export async function* batchesOf(
  list: ImageList,
  size: number,
  drawingsOf: (image: string) => readonly string[],
  isDone: (image: string) => boolean = () => false,
): AsyncGenerator<readonly PlannedImage[]> {
  let batch: PlannedImage[] = [];
  for await (const images of list.chunks()) {
    for (const image of images) {
      const drawings = drawingsOf(image.name);
      if (isDone(image.name)) continue;
      batch.push({ ...image, drawings });
      if (batch.length < size) continue;
      yield batch;
      batch = [];
    }
    if (batch.length === 0 || list.count !== undefined) continue;
    yield batch;
    batch = [];
  }
  if (batch.length > 0) yield batch;
}

import { LRUCache } from 'lru-cache';
import { featureBytes, type EncodedImages } from '../../inference/encoded-images.ts';

/** An encoded image that is kept for further captions. */
export interface CachedImage {
  readonly encoded: EncodedImages;
  /** Height and width at which the model saw it: images of one size run together. */
  readonly size: string;
}

/** Encoded images by model and content, the least recently used ones dropped beyond a number of bytes. */
export class ImageCache {
  private readonly images: LRUCache<string, CachedImage> | undefined;

  constructor(maxBytes: number) {
    this.images =
      maxBytes === 0
        ? undefined
        : new LRUCache({ maxSize: maxBytes, sizeCalculation: ({ encoded }) => featureBytes(encoded) + 1 });
  }

  get(model: string, digest: string): CachedImage | undefined {
    return this.images?.get(`${model} ${digest}`);
  }

  set(model: string, digest: string, image: CachedImage): void {
    this.images?.set(`${model} ${digest}`, image);
  }
}

import type { CocoImage } from '../../format/coco-format.ts';
import type { Orientation } from '../orientation.ts';
import type { RawImage } from '../raw-image.ts';
import { decodeImage } from './decode-image.ts';
import type { ImageRoots } from './image-roots.ts';

/** Fields of an annotation row that locate its image and say its size. */
export type RowImage = Pick<CocoImage, 'file_name' | 'data_source' | 'width' | 'height'>;

/** Images of annotation rows: every row's width and height decide the orientation of its image. */
export class AnnotatedImages {
  private undecided = 0;
  private firstNote = '';

  /** @param orientation overrides the rule for all images */
  constructor(
    /** Folders of the images. */
    readonly roots: ImageRoots,
    private readonly orientation?: Orientation,
  ) {}

  /**
   * Decodes the image of a row, in the orientation that its boxes refer to.
   *
   * @param onNote called with a note if the size does not tell the orientation
   * @throws {MdetrError} as `decodeImage`, also if the image has another size than the row
   */
  decode(image: RowImage, onNote?: (note: string) => void): Promise<RawImage> {
    return decodeImage(this.roots.pathOf(image), {
      orientation: this.orientation,
      rowSize: { width: image.width, height: image.height },
      onNote: (note) => {
        if (this.undecided++ === 0) this.firstNote = note;
        onNote?.(note);
      },
    });
  }

  /** Decodes the images of several rows one after another. Rows with the same image share one object. */
  async decodeAll(images: readonly RowImage[]): Promise<RawImage[]> {
    const decoded = new Map<string, RawImage>();
    const all: RawImage[] = [];
    for (const image of images) {
      const key = JSON.stringify([this.roots.pathOf(image), image.width, image.height]);
      const raw = decoded.get(key) ?? (await this.decode(image));
      decoded.set(key, raw);
      all.push(raw);
    }
    return all;
  }

  /** One warning for all images so far whose size does not tell their orientation. */
  get warnings(): string[] {
    const others = this.undecided - 1;
    if (others < 0) return [];
    return [others === 0 ? this.firstNote : `${this.firstNote} (and ${others} more)`];
  }
}

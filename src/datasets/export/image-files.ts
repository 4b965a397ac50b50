import { posix } from 'node:path';

/** Names of the files that a folder format writes for images: the image's own name, numbered if another image has it. */
export class ImageFileNames {
  private readonly taken = new Map<string, number>();

  /** Name without extension. */
  stemFor(image: string): string {
    const base = posix.basename(image.replaceAll('\\', '/')).replace(/[?#].*$/, '');
    const stem = base.replace(/\.[^.]*$/, '') || 'image';
    const key = stem.toLowerCase();
    const count = (this.taken.get(key) ?? 0) + 1;
    this.taken.set(key, count);
    return count === 1 ? stem : this.stemFor(`${stem}_${count}.x`);
  }
}

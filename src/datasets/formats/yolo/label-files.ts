import { basename, dirname, join, posix, relative, resolve } from 'node:path';
import { imageStem } from '../../import/image-names.ts';
import type { ImportSource } from '../../import/import-source.ts';

/** Label files by image: in `labels/` where the image is in `images/`, else beside the image, else of the same name. */
export class LabelFiles {
  private readonly known = new Set<string>();
  private readonly byStem = new Map<string, string[]>();
  private readonly found = new Map<string, string | undefined>();

  constructor(private readonly source: ImportSource) {
    for (const file of source.files) {
      if (!/\.txt$/i.test(file)) continue;
      this.known.add(resolve(source.pathOf(file)));
      const stem = posix
        .basename(file)
        .replace(/\.txt$/i, '')
        .normalize()
        .toLowerCase();
      const own = this.byStem.get(stem);
      if (own === undefined) this.byStem.set(stem, [file]);
      else own.push(file);
    }
  }

  /** Path of an image's label file relative to the source; undefined if there is none. */
  of(image: string): string | undefined {
    if (!this.found.has(image)) this.found.set(image, this.find(image));
    return this.found.get(image);
  }

  private find(image: string): string | undefined {
    const stem = imageStem(image);
    const folder = resolve(dirname(image));
    const parts = folder.split(/[\\/]/);
    const candidates = [join(folder, `${stem}.txt`)];
    for (let i = parts.length - 1; i >= 0; i--)
      if (/images?$/i.test(parts[i]!))
        for (const name of ['labels', 'label', 'Labels', 'annotations', 'txt'])
          candidates.unshift(join([...parts.slice(0, i), name, ...parts.slice(i + 1)].join('/'), `${stem}.txt`));
    candidates.push(join(folder, 'labels', `${stem}.txt`), join(folder, '..', 'labels', `${stem}.txt`));
    const swapped = candidates.find((path) => this.known.has(path));
    if (swapped !== undefined) return relative(this.source.root, swapped).replaceAll('\\', '/');
    const named =
      this.byStem.get(stem.normalize().toLowerCase()) ??
      this.byStem.get(basename(image).normalize().toLowerCase()) ??
      [];
    if (named.length < 2) return named[0];
    const own = new Set(parts.map((part) => part.toLowerCase()));
    const ranked = named
      .map((file) => ({
        file,
        common: posix
          .dirname(file)
          .toLowerCase()
          .split('/')
          .filter((part) => own.has(part)).length,
      }))
      .sort((a, b) => b.common - a.common);
    return ranked[0]!.common === ranked[1]!.common ? undefined : ranked[0]!.file;
  }
}

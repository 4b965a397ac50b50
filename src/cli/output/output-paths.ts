import { stat } from 'node:fs/promises';
import { basename, dirname, extname, join, resolve } from 'node:path';
import { makeFolder } from '../../files/make-folder.ts';
import { drawingFormatOf } from '../../drawing/node/index.ts';
import { MdetrError, UsageError } from '../../errors.ts';

/** Paths of the drawings: one file for one result, or a folder or pattern for several. */
export class DrawingPaths {
  private readonly taken = new Set<string>();
  private readonly captionCount: number;
  private readonly folder: string | undefined;
  private readonly pattern: string;

  private constructor(captionCount: number, folder: string | undefined, pattern: string) {
    this.captionCount = captionCount;
    this.folder = folder;
    this.pattern = pattern;
  }

  /**
   * Checks `--out` before the model runs. `out` is the path of an image file; for several results, it is a folder (which
   * exists or whose name ends in `/`) or a path with `{image}`, the image's file name without extension, and `{text}`, the
   * caption index from 1.
   *
   * @throws {UsageError} if the path does not suit the results or names one of the images
   * @throws {MdetrError} if its folder is missing
   */
  static async plan(out: string, images: readonly string[], captionCount: number): Promise<DrawingPaths> {
    const isFolder = out.endsWith('/') || out.endsWith('\\') || (await kindOf(out)) === 'folder';
    if (isFolder) {
      if ((await kindOf(out)) === 'file') throw new MdetrError(`${out}: is a file; drawings need a folder`);
      return new DrawingPaths(captionCount, out, '{image}{-text}.png');
    }
    drawingFormatOf(out);
    const hasPlaceholder = /\{image\}|\{text\}/.test(out);
    const results = images.length * captionCount;
    if (results > 1 && !hasPlaceholder)
      throw new UsageError(
        `--out ${out}: there are ${results} results; use a folder (DIR/) or a pattern such as boxes-{image}-{text}.png`,
      );
    // A drawing must not replace the photo that it was made from.
    if (images.some((image) => resolve(image) === resolve(out)))
      throw new UsageError(`--out ${out}: is one of the images; choose another name`);
    if ((await kindOf(dirname(out))) !== 'folder')
      throw new MdetrError(`${out}: the folder ${dirname(out)} does not exist`);
    return new DrawingPaths(captionCount, undefined, out);
  }

  /** Path of the drawing of an image and caption (index from 0). No path is returned twice. */
  async pathFor(image: string, captionIndex: number): Promise<string> {
    if (this.folder !== undefined) await makeFolder(this.folder);
    const name = stemOf(image);
    const label = String(captionIndex + 1);
    const filled = this.pattern
      .replaceAll('{image}', name)
      .replaceAll('{text}', label)
      .replaceAll('{-text}', this.captionCount > 1 ? `-${label}` : '');
    return this.unused(this.folder === undefined ? filled : join(this.folder, filled));
  }

  /** Numbers a path that was returned before: images of different folders may have the same name. */
  private unused(path: string): string {
    const extension = extname(path);
    const stem = path.slice(0, path.length - extension.length);
    let candidate = path;
    for (let copy = 2; this.taken.has(candidate); copy++) candidate = `${stem}_${copy}${extension}`;
    this.taken.add(candidate);
    return candidate;
  }
}

/** File name of an image without folder and extension. */
export const stemOf = (image: string): string => basename(image, extname(image));

const kindOf = async (path: string): Promise<'file' | 'folder' | 'none'> => {
  // With a trailing slash, a file would count as missing.
  const info = await stat(path.replace(/(?<=.)[\\/]+$/, '')).catch(() => undefined);
  return info === undefined ? 'none' : info.isDirectory() ? 'folder' : 'file';
};

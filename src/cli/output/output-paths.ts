import { stat } from 'node:fs/promises';
import { basename, dirname, extname, join, resolve } from 'node:path';
import { makeFolder } from '../../files/make-folder.ts';
import { drawingFormatOf } from '../../drawing/node/index.ts';
import { MdetrError, UsageError } from '../../errors.ts';

/** Where drawings go: one file for one result, or a folder or pattern for many. */
export class DrawingPaths {
  private readonly taken = new Set<string>();
  private readonly texts: number;
  private readonly folder: string | undefined;
  private readonly pattern: string;

  private constructor(texts: number, folder: string | undefined, pattern: string) {
    this.texts = texts;
    this.folder = folder;
    this.pattern = pattern;
  }

  /**
   * Understands `--out` before any work is done. `out` is the name of a picture; or, for several results, a folder
   * (which exists or whose name ends in `/`) or a name with `{image}` and `{text}`, the picture's name without ending and
   * the number of the text. Throws `UsageError` for a name that does not fit and `MdetrError` for a missing folder.
   */
  static async plan(out: string, images: readonly string[], texts: number): Promise<DrawingPaths> {
    const isFolder = out.endsWith('/') || out.endsWith('\\') || (await kindOf(out)) === 'folder';
    if (isFolder) {
      if ((await kindOf(out)) === 'file') throw new MdetrError(`${out}: is a file, so no drawings can be put into it`);
      return new DrawingPaths(texts, out, '{image}{-text}.png');
    }
    drawingFormatOf(out);
    const hasPlaces = /\{image\}|\{text\}/.test(out);
    if (images.length * texts > 1 && !hasPlaces)
      throw new UsageError(
        `--out ${out}: there are ${images.length * texts} results: name a folder (DIR/) or a pattern like boxes-{image}-{text}.png`,
      );
    // A drawing that replaced the photo it was made from would be a loss.
    if (images.some((image) => resolve(image) === resolve(out)))
      throw new UsageError(`--out ${out}: is one of the pictures; choose another name`);
    if ((await kindOf(dirname(out))) !== 'folder')
      throw new MdetrError(`${out}: there is no folder ${dirname(out)} to put it into`);
    return new DrawingPaths(texts, undefined, out);
  }

  /** The file for a picture and the number of a text, counted from 0; never the same twice. */
  async pathFor(image: string, text: number): Promise<string> {
    if (this.folder !== undefined) await makeFolder(this.folder);
    const name = stemOf(image);
    const number = String(text + 1);
    const filled = this.pattern
      .replaceAll('{image}', name)
      .replaceAll('{text}', number)
      .replaceAll('{-text}', this.texts > 1 ? `-${number}` : '');
    return this.unused(this.folder === undefined ? filled : join(this.folder, filled));
  }

  /** Pictures of different folders may share a name. */
  private unused(path: string): string {
    const ending = extname(path);
    const stem = path.slice(0, path.length - ending.length);
    let candidate = path;
    for (let copy = 2; this.taken.has(candidate); copy++) candidate = `${stem}_${copy}${ending}`;
    this.taken.add(candidate);
    return candidate;
  }
}

/** A picture's name without folder and ending. */
export const stemOf = (image: string): string => basename(image, extname(image));

const kindOf = async (path: string): Promise<'file' | 'folder' | 'none'> => {
  // With its slash, a file would count as missing.
  const info = await stat(path.replace(/(?<=.)[\\/]+$/, '')).catch(() => undefined);
  return info === undefined ? 'none' : info.isDirectory() ? 'folder' : 'file';
};

import { stat } from 'node:fs/promises';
import { basename, dirname, extname, join } from 'node:path';
import { makeFolder } from '../../files/make-folder.ts';
import type { OutputRule } from '../../files/output-rule.ts';
import { drawingFormatOf } from '../../drawing/node/drawing-format.ts';
import { MdetrError, UsageError } from '../../errors.ts';
import { withoutEndSlash } from '../options/option-values.ts';

/** Paths of the drawings: one file for one result, or a folder or pattern for several. */
export class DrawingPaths {
  /** Paths that are left, by image and caption: an image may be given several times. */
  private readonly paths = new Map<string, string[]>();

  private constructor(private readonly folder: string | undefined) {}

  /**
   * Determines all paths before the model runs. `out` is the path of an image file; for several results, it is a folder
   * (which exists or whose name ends in `/`) or a path with `{image}`, the image's file name without extension, and
   * `{text}`, the caption index from 1.
   *
   * @param rule checks the paths
   * @throws {UsageError} if the path does not suit the results, or `rule` forbids a file
   * @throws {MdetrError} if its folder is missing
   */
  static async plan(
    out: string,
    images: readonly string[],
    captionCount: number,
    rule: OutputRule,
  ): Promise<DrawingPaths> {
    const isFolder = out.endsWith('/') || out.endsWith('\\') || (await kindOf(out)) === 'folder';
    if (isFolder && (await kindOf(out)) === 'file') throw new MdetrError(`${out}: is a file; drawings need a folder`);
    if (!isFolder) drawingFormatOf(out);
    const hasPlaceholder = PLACEHOLDERS.test(out);
    const results = images.length * captionCount;
    if (!isFolder && results > 1 && !hasPlaceholder)
      throw new UsageError(
        `--out ${out}: there are ${results} results; use a folder (DIR/) or a pattern such as boxes-{image}-{text}.png`,
      );
    if (!isFolder && (await kindOf(dirname(out))) !== 'folder')
      throw new MdetrError(`${out}: the folder ${dirname(out)} does not exist`);
    const planned = new DrawingPaths(isFolder ? out : undefined);
    const pattern = isFolder ? `{image}${captionCount > 1 ? '-{text}' : ''}.png` : out;
    const taken = new Set<string>();
    for (const image of images)
      for (let caption = 0; caption < captionCount; caption++) {
        const name = filled(pattern, stemOf(image), String(caption + 1));
        const path = unused(isFolder ? join(out, name) : name, taken);
        if (isFolder || hasPlaceholder) rule.derived(path, `--out ${out}`);
        else rule.named(path, `--out ${out}`);
        planned.paths.set(keyOf(image, caption), [...(planned.paths.get(keyOf(image, caption)) ?? []), path]);
      }
    return planned;
  }

  /** Path of the drawing of an image and caption (index from 0). No path is returned twice. */
  async pathFor(image: string, captionIndex: number): Promise<string> {
    if (this.folder !== undefined) await makeFolder(this.folder);
    const path = this.paths.get(keyOf(image, captionIndex))?.shift();
    if (path === undefined) throw new Error(`internal: no drawing of ${image} was planned`);
    return path;
  }
}

const PLACEHOLDERS = /\{image\}|\{text\}/;

const keyOf = (image: string, captionIndex: number): string => `${captionIndex} ${image}`;

/** The pattern with its placeholders replaced. Braces and `$` in an image's name stay as they are. */
const filled = (pattern: string, image: string, text: string): string =>
  pattern.replace(/\{image\}|\{text\}/g, (placeholder) => (placeholder === '{image}' ? image : text));

/** Numbers a path that was taken before: images of different folders may have the same name. */
const unused = (path: string, taken: Set<string>): string => {
  const extension = extname(path);
  const stem = path.slice(0, path.length - extension.length);
  let candidate = path;
  for (let copy = 2; taken.has(candidate); copy++) candidate = `${stem}_${copy}${extension}`;
  taken.add(candidate);
  return candidate;
};

/** File name of an image without folder and extension. */
export const stemOf = (image: string): string => {
  const path = image.replace(/[?#].*$/, '');
  return basename(path, extname(path)).replaceAll(':', '_');
};

const kindOf = async (path: string): Promise<'file' | 'folder' | 'none'> => {
  // With a trailing slash, a file would count as missing.
  const info = await stat(withoutEndSlash(path)).catch(() => undefined);
  return info === undefined ? 'none' : info.isDirectory() ? 'folder' : 'file';
};

import { stat } from 'node:fs/promises';
import { basename, dirname, extname, join } from 'node:path';
import { NameTable } from '../../files/name-table.ts';
import { makeFolder } from '../../files/make-folder.ts';
import type { OutputRule } from '../../files/output-rule.ts';
import { drawingFormatOf } from '../../drawing/node/drawing-format.ts';
import { MdetrError, UsageError } from '../../errors.ts';
import { withoutEndSlash } from '../options/option-values.ts';

/** Images of a call, whose names can be read several times. */
export interface NamedImages {
  readonly count: number;
  names(): AsyncIterable<string>;
}

/** Planned paths after which existing files are compared with the images of the call. */
const PATHS_PER_CHECK = 1 << 16;

/** Paths of the drawings: one file for one result, or a folder or pattern for several. */
export class DrawingPaths {
  /** Paths that were returned: images of different folders may have the same name. */
  private readonly taken = new NameTable();

  private constructor(
    /** Path with `{image}` and `{text}`. */
    private readonly pattern: string,
    private readonly folder: string | undefined,
    private readonly captionCount: number,
  ) {}

  /**
   * Determines all paths before the model runs. `out` is the path of an image file; for several results, it is a folder
   * (which exists or whose name ends in `/`) or a path with `{image}`, the image's file name without extension, and
   * `{text}`, the caption index from 1.
   *
   * @param rule checks the paths
   * @throws {UsageError} if the path does not suit the results, or `rule` forbids a file
   * @throws {MdetrError} if its folder is missing
   */
  static async plan(out: string, images: NamedImages, captionCount: number, rule: OutputRule): Promise<DrawingPaths> {
    const isFolder = out.endsWith('/') || out.endsWith('\\') || (await kindOf(out)) === 'folder';
    if (isFolder && (await kindOf(out)) === 'file') throw new MdetrError(`${out}: is a file; drawings need a folder`);
    if (!isFolder) drawingFormatOf(out);
    const hasPlaceholder = PLACEHOLDERS.test(out);
    const results = images.count * captionCount;
    if (!isFolder && results > 1 && !hasPlaceholder)
      throw new UsageError(
        `--out ${out}: there are ${results} results; use a folder (DIR/) or a pattern such as boxes-{image}-{text}.png`,
      );
    if (!isFolder && (await kindOf(dirname(out))) !== 'folder')
      throw new MdetrError(`${out}: the folder ${dirname(out)} does not exist`);
    const pattern = isFolder ? `{image}${captionCount > 1 ? '-{text}' : ''}.png` : out;
    const create = (): DrawingPaths => new DrawingPaths(pattern, isFolder ? out : undefined, captionCount);
    const trial = create();
    try {
      for await (const image of images.names()) {
        for (const path of trial.next(image))
          if (isFolder || hasPlaceholder) rule.derived(path, `--out ${out}`);
          else rule.named(path, `--out ${out}`);
        await rule.checkListed(PATHS_PER_CHECK);
      }
    } finally {
      trial.close();
    }
    return create();
  }

  /** Paths of the drawings of the next image, for each caption. No path is returned twice. */
  next(image: string): readonly string[] {
    return Array.from({ length: this.captionCount }, (_, caption) => {
      const name = filled(this.pattern, stemOf(image), String(caption + 1));
      return unused(this.folder === undefined ? name : join(this.folder, name), this.taken);
    });
  }

  /** Makes the folder of the drawings. */
  async makeFolder(): Promise<void> {
    if (this.folder !== undefined) await makeFolder(this.folder);
  }

  close(): void {
    this.taken.close();
  }
}

const PLACEHOLDERS = /\{image\}|\{text\}/;

/** The pattern with its placeholders replaced. Braces and `$` in an image's name stay as they are. */
const filled = (pattern: string, image: string, text: string): string =>
  pattern.replace(/\{image\}|\{text\}/g, (placeholder) => (placeholder === '{image}' ? image : text));

/** Numbers a path that was taken before. */
const unused = (path: string, taken: NameTable): string => {
  const before = taken.get(path);
  if (before === undefined) {
    taken.set(path, 1);
    return path;
  }
  const extension = extname(path);
  const stem = path.slice(0, path.length - extension.length);
  // The last number of the path is known, so that a thousand images of one name need a thousand steps.
  let copy = Math.max(2, before + 1);
  while (!taken.add(`${stem}_${copy}${extension}`)) copy++;
  taken.set(path, copy);
  return `${stem}_${copy}${extension}`;
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

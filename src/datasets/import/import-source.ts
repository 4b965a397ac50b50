import { readdir, stat } from 'node:fs/promises';
import { existsSync, statSync } from 'node:fs';
import { basename, dirname, join, posix, resolve } from 'node:path';
import { DECODE_DEFAULTS } from '../../data/images/decode-options.ts';
import { readImageFile, readImageHeader } from '../../data/images/node/image-file.ts';
import { errorCode, fileReason, MdetrError } from '../../errors.ts';
import { BadRowError } from '../source/bad-rows.ts';
import { fileHead } from './file-head.ts';
import { imageSpellings, imageStem, isImageFile, pathComponents } from './image-names.ts';
import { JsonOutlines, type JsonOutline } from './json-outline.ts';
import { splitOfFolders, splitOfPath } from './stated-split.ts';
import { CONFIG_MARK } from './training-config.ts';

/** Limit for the number of files below a source, against importing a home folder by mistake. */
const MAX_FILES = 2_000_000;
/** Folders of annotation files beside which images usually lie. */
const ANNOTATION_FOLDER = /^(annotations?|labels?|data|csv|json|xml|exports?|anno|ann|vott-csv-export)$/i;

/** Size of an image in pixels. */
export interface ImageSize {
  /** Width in pixels. */
  readonly width: number;
  /** Height in pixels. */
  readonly height: number;
}

/** A file or folder to import, with the files below it and the images that annotations can refer to. */
export class ImportSource {
  /** The folder; for a single file, the folder that contains it. */
  readonly root: string;
  /** Files that may have annotations, relative to `root` with `/` as separator, in alphabetical order. */
  readonly files: readonly string[];
  /** Paths of all images, those of the additional folder last. */
  readonly images: readonly string[];
  private readonly imagesByName = new Map<string, string[]>();
  private readonly imagesByStem = new Map<string, string[]>();
  private readonly imagePaths: ReadonlySet<string>;
  private readonly outlines = new JsonOutlines();

  private constructor(root: string, files: readonly string[], images: readonly string[]) {
    this.root = root;
    this.files = files;
    this.images = images;
    this.imagePaths = new Set(images.map((path) => resolve(path)));
    for (const path of images) {
      addTo(this.imagesByName, basename(path).normalize().toLowerCase(), path);
      addTo(this.imagesByStem, imageStem(path).normalize().toLowerCase(), path);
    }
  }

  /**
   * Lists a source. Hidden files and folders are skipped.
   * @param path annotation file, or folder of annotations
   * @param imageFolder additional folder of images, for sources that do not contain them
   * @throws {MdetrError} if a path does not exist or cannot be read
   */
  static async open(path: string, imageFolder?: string): Promise<ImportSource> {
    const info = await stat(path).catch((error: unknown) => {
      throw new MdetrError(`${path}: cannot be read (${fileReason(error)})`, { cause: error });
    });
    const isFolder = info.isDirectory();
    const root = isFolder ? path : dirname(path);
    const below = await filesBelow(root);
    const more = imageFolder === undefined ? [] : await filesBelow(imageFolder);
    const images = [
      ...below.filter(isImageFile).map((file) => join(root, file)),
      ...more.filter(isImageFile).map((file) => join(imageFolder!, file)),
    ];
    // The images of `annotations/instances.json` usually lie beside the folder `annotations`.
    const parent = dirname(resolve(root));
    if (!isFolder && ANNOTATION_FOLDER.test(basename(resolve(root))) && parent !== resolve(root))
      images.push(...(await filesBelow(parent, 4)).filter(isImageFile).map((file) => join(parent, file)));
    const unique = new Map(images.map((image) => [resolve(image), image]));
    const files = isFolder ? below.filter((file) => !isImageFile(file)) : [basename(path)];
    return new ImportSource(root, files, [...unique.values()]);
  }

  /** Path of a file of `files`. */
  pathOf(file: string): string {
    return join(this.root, file);
  }

  /** Outline of a JSON or JSON Lines file; undefined if it is neither. Read once. */
  outlineOf(file: string): JsonOutline | undefined {
    return this.outlines.of(this.pathOf(file));
  }

  /** Why JSON files could not be read by `outlineOf`, by their paths. */
  get brokenJson(): ReadonlyMap<string, MdetrError> {
    return this.outlines.errors;
  }

  /** True if a path is one of `images`. */
  hasImage(path: string): boolean {
    return this.imagePaths.has(resolve(path));
  }

  /**
   * Path of the image that an annotation file refers to. Absolute paths, addresses and paths of other machines are matched
   * by their last components: among the images with the same name, the one that shares the most components, then the one of
   * the split that the annotation file states. If no image has the name, the only one with another ending counts, also for a
   * reference without any.
   * @param reference file name in the annotation file, with any separators
   * @param annotationFile path of the annotation file, relative to `root`; decides between equally good matches
   * @returns undefined if no image has the name
   * @throws {MdetrError} if several different images match equally well
   */
  findImage(reference: string, annotationFile: string): string | undefined {
    const folder = posix.dirname(annotationFile);
    for (const spelling of imageSpellings(reference)) {
      const slashes = spelling.replaceAll('\\', '/');
      for (const path of [join(this.root, folder, slashes), join(this.root, slashes)]) {
        if (this.hasImage(path)) return path;
      }
      const parts = pathComponents(spelling);
      const named = this.imagesByName.get(parts.at(-1)?.normalize().toLowerCase() ?? '') ?? [];
      if (named.length > 0) return this.bestMatch(named, parts, reference, annotationFile);
    }
    // Images that were converted have another ending; some exporters write none.
    const sameStem = this.imagesByStem.get(imageStem(reference).normalize().toLowerCase()) ?? [];
    return sameStem.length === 1 ? sameStem[0] : undefined;
  }

  /**
   * Path of the image whose name without ending is `stem`, preferably in a folder like that of the annotation file.
   * @throws {MdetrError} if several different images match equally well
   */
  findImageByStem(stem: string, annotationFile: string): string | undefined {
    const candidates = this.imagesByStem.get(stem.normalize().toLowerCase()) ?? [];
    if (candidates.length < 2) return candidates[0];
    return this.bestMatch(candidates, [stem], stem, annotationFile);
  }

  private bestMatch(
    candidates: readonly string[],
    parts: readonly string[],
    reference: string,
    annotationFile: string,
  ): string | undefined {
    if (candidates.length === 1) return candidates[0];
    const beside = pathComponents(join(this.root, posix.dirname(annotationFile)));
    const split = splitOfPath(annotationFile);
    const below = pathComponents(this.root).length;
    const ranked = candidates
      .map((path) => {
        const own = pathComponents(path);
        // `annotations/instances_val.json` means `val/1.jpg`, not `train/1.jpg`.
        const inSplit = Number(split !== undefined && splitOfFolders(own.slice(below).join('/')) === split);
        const common = sharedCount(own, beside);
        return { path, tail: sharedTail(own, parts), inSplit, head: sharedHead(own, beside), common };
      })
      .sort((a, b) => b.tail - a.tail || b.inSplit - a.inSplit || b.head - a.head || b.common - a.common);
    const [best, second] = ranked;
    const isTied =
      second !== undefined &&
      second.tail === best!.tail &&
      second.inSplit === best!.inSplit &&
      second.head === best!.head &&
      second.common === best!.common;
    if (isTied && !haveEqualSize(best!.path, second.path))
      throw new BadRowError(
        `${this.pathOf(annotationFile)}: ${reference.slice(0, 100)} can be ${best!.path} or ${second.path}; rename one, or import their folders separately`,
      );
    return best?.path;
  }
}

/**
 * Sizes that an image has in pixels: of the stored pixels, and after applying its EXIF orientation.
 * @throws {MdetrError} if the file is not an image that can be read
 */
export const imageSizesOf = async (path: string): Promise<{ stored: ImageSize; turned: ImageSize }> => {
  const bytes = await readImageFile(path, path, DECODE_DEFAULTS.maxBytes);
  const { width, height, exif } = await readImageHeader(bytes, path, DECODE_DEFAULTS);
  const isTurned = exif >= 5;
  return { stored: { width, height }, turned: isTurned ? { width: height, height: width } : { width, height } };
};

/** Paths of the files below a folder, relative to it, in alphabetical order. */
const filesBelow = async (folder: string, maxDepth = Infinity): Promise<string[]> => {
  const found: string[] = [];
  const visit = async (below: string, depth: number): Promise<void> => {
    const path = below === '' ? folder : join(folder, below);
    const entries = await entriesOf(path, below === '');
    const isOutput = isImported(path, entries);
    if (below !== '' && isOutput) return;
    for (const entry of entries) {
      if (isOutput && OUTPUT_FILES.includes(entry.name)) continue;
      if (entry.name.startsWith('.') || entry.name === '__MACOSX' || entry.name === 'node_modules') continue;
      const name = below === '' ? entry.name : `${below}/${entry.name}`;
      const isLink = entry.isSymbolicLink();
      if (entry.isDirectory()) {
        if (depth < maxDepth) await visit(name, depth + 1);
      } else if (entry.isFile() || (isLink && (await isFile(join(folder, name))))) found.push(name);
      if (found.length > MAX_FILES) throw new MdetrError(`${folder}: contains more than ${MAX_FILES} files`);
    }
  };
  await visit('', 1);
  return found.sort();
};

const OUTPUT_FILES = ['train.json', 'val.json', 'test.json', 'config.json'];

/** Whether a folder is the output of an import, which an earlier call may have written into its source. */
const isImported = (path: string, entries: readonly { readonly name: string }[]): boolean => {
  const has = (name: string): boolean => entries.some((entry) => entry.name === name);
  return has('train.json') && has('config.json') && fileHead(join(path, 'config.json'), 1024).includes(CONFIG_MARK);
};

const entriesOf = async (path: string, isRoot: boolean) => {
  try {
    return await readdir(path, { withFileTypes: true });
  } catch (error) {
    if (errorCode(error) === 'ENOTDIR') throw new MdetrError(`${path}: is not a folder`, { cause: error });
    // Folders that may not be read, or vanish meanwhile.
    if (!isRoot && ['EACCES', 'EPERM', 'ENOENT'].includes(errorCode(error) ?? '')) return [];
    throw new MdetrError(`${path}: cannot be read (${fileReason(error)})`, { cause: error });
  }
};

const isFile = async (path: string): Promise<boolean> => (await stat(path).catch(() => undefined))?.isFile() === true;

const addTo = (map: Map<string, string[]>, key: string, value: string): void => {
  const own = map.get(key);
  if (own === undefined) map.set(key, [value]);
  else own.push(value);
};

const haveEqualSize = (a: string, b: string): boolean =>
  existsSync(a) && existsSync(b) && statSync(a).size === statSync(b).size;

const sharedTail = (a: readonly string[], b: readonly string[]): number => {
  let count = 0;
  while (count < a.length && count < b.length && a.at(-1 - count)?.toLowerCase() === b.at(-1 - count)?.toLowerCase())
    count++;
  return count;
};

const sharedHead = (a: readonly string[], b: readonly string[]): number => {
  let count = 0;
  while (count < a.length && count < b.length && a[count] === b[count]) count++;
  return count;
};

/** Number of components that two paths have in common, in any place: `images/train` and `labels/train` share `train`. */
const sharedCount = (a: readonly string[], b: readonly string[]): number => {
  const own = new Set(a.map((part) => part.toLowerCase()));
  return b.filter((part) => own.has(part.toLowerCase())).length;
};

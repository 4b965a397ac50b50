import { readdir, stat } from 'node:fs/promises';
import { basename, dirname, join, posix } from 'node:path';
import { DECODE_DEFAULTS } from '../../data/images/decode-options.ts';
import { readImageFile, readImageHeader } from '../../data/images/node/image-file.ts';
import { turnedSize } from '../../data/images/orientation.ts';
import { errorCode, fileReason, MdetrError } from '../../errors.ts';

const IMAGE_FILE = /\.(jpe?g|png|webp|gif|tiff?|avif|bmp)$/i;
/** Limit for the number of files below a source, against importing a home folder by mistake. */
const MAX_FILES = 2_000_000;

/** Size of an image in pixels. */
export interface ImageSize {
  readonly width: number;
  readonly height: number;
}

/** A file or folder to import, with the files below it and the images that annotations can refer to. */
export class ImportSource {
  /** The folder; for a single file, the folder that contains it. */
  readonly root: string;
  /** Files that may have annotations, relative to `root` with `/` as separator, in alphabetical order. */
  readonly files: readonly string[];
  private readonly imagesByName: ReadonlyMap<string, readonly string[]>;

  private constructor(root: string, files: readonly string[], images: readonly string[]) {
    this.root = root;
    this.files = files;
    const byName = new Map<string, string[]>();
    for (const path of images) {
      const name = basename(path).toLowerCase();
      const own = byName.get(name);
      if (own === undefined) byName.set(name, [path]);
      else own.push(path);
    }
    this.imagesByName = byName;
  }

  /**
   * Lists a source.
   * @param path annotation file, or folder of annotations
   * @param imageFolder additional folder of images, for sources that do not contain them
   * @throws {MdetrError} if a path does not exist or cannot be read
   */
  static async open(path: string, imageFolder?: string): Promise<ImportSource> {
    const info = await stat(path).catch((error: unknown) => {
      throw new MdetrError(`${path}: cannot be read (${fileReason(error)})`, { cause: error });
    });
    const root = info.isDirectory() ? path : dirname(path);
    const below = await filesBelow(root);
    const more = imageFolder === undefined ? [] : await filesBelow(imageFolder);
    const images = [
      ...below.filter((file) => IMAGE_FILE.test(file)).map((file) => join(root, file)),
      ...more.filter((file) => IMAGE_FILE.test(file)).map((file) => join(imageFolder!, file)),
    ];
    const files = info.isDirectory() ? below.filter((file) => !IMAGE_FILE.test(file)) : [basename(path)];
    return new ImportSource(root, files, [...new Set(images)]);
  }

  /**
   * Path of the image that an annotation file refers to. Absolute paths and paths of other machines are matched by their
   * last components: among the images with the same name, the one that shares the most components.
   * @param fileName file name in the annotation file, with any separators
   * @param annotationFile path of the annotation file, relative to `root`; decides between equally good matches
   * @returns undefined if no image has the name
   * @throws {MdetrError} if several images match equally well
   */
  findImage(fileName: string, annotationFile: string): string | undefined {
    const parts = componentsOf(fileName);
    const candidates = this.imagesByName.get(parts.at(-1)?.toLowerCase() ?? '') ?? [];
    const beside = componentsOf(join(this.root, posix.dirname(annotationFile)));
    const ranked = candidates
      .map((path) => {
        const own = componentsOf(path);
        return { path, tail: sharedTail(own, parts), head: sharedHead(own, beside) };
      })
      .sort((a, b) => b.tail - a.tail || b.head - a.head);
    const [best, second] = ranked;
    if (second !== undefined && second.tail === best!.tail && second.head === best!.head)
      throw new MdetrError(
        `${annotationFile}: ${fileName} can be ${best!.path} or ${second.path}; rename one, or import their folders separately`,
      );
    return best?.path;
  }
}

/**
 * Size of an image file in pixels, after applying its EXIF orientation. Only its header is read.
 * @throws {MdetrError} if the file is not an image that can be read
 */
export const imageSizeOf = async (path: string): Promise<ImageSize> => {
  const bytes = await readImageFile(path, path, DECODE_DEFAULTS.maxBytes);
  const header = await readImageHeader(bytes, path, DECODE_DEFAULTS);
  return turnedSize(header, header.exif);
};

const filesBelow = async (folder: string): Promise<string[]> => {
  let names;
  try {
    names = await readdir(folder, { recursive: true, withFileTypes: true });
  } catch (error) {
    if (errorCode(error) === 'ENOTDIR') throw new MdetrError(`${folder}: is not a folder`, { cause: error });
    throw new MdetrError(`${folder}: cannot be read (${fileReason(error)})`, { cause: error });
  }
  if (names.length > MAX_FILES) throw new MdetrError(`${folder}: contains more than ${MAX_FILES} files`);
  return names
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(join(folder, 'x').length - 1))
    .map((path) => path.replaceAll('\\', '/'))
    .sort();
};

const componentsOf = (path: string): string[] => path.split(/[\\/]+/).filter((part) => part !== '' && part !== '.');

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

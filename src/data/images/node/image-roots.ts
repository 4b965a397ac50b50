import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { MdetrError, UsageError } from '../../../errors.ts';
import { type CocoImage } from '../../format/coco-format.ts';
import { fileNameProblem } from '../../format/row-checks.ts';

/** Image folders: one for all rows, or one for each collection (`data_source` of a row: `coco`, `vg`). */
export class ImageRoots {
  private readonly folders: ReadonlyMap<string, string>;

  /** @param folders by collection; the empty name is for rows whose collection has no folder */
  constructor(folders: ReadonlyMap<string, string>) {
    this.folders = folders;
  }

  /** Parses `FOLDER` and `SOURCE=FOLDER` of a command line. */
  static parse(texts: readonly string[]): ImageRoots {
    const folders = new Map<string, string>();
    for (const text of texts) {
      const { source = '', path } = splitSource(text);
      if (folders.has(source))
        throw new UsageError(`two image folders for ${source === '' ? 'all rows' : `"${source}"`}: ${text}`);
      folders.set(source, path);
    }
    return new ImageRoots(folders);
  }

  /** Image folders of a config: one folder, or one for each collection. */
  static of(folders: string | Readonly<Record<string, string>>): ImageRoots {
    return new ImageRoots(new Map(typeof folders === 'string' ? [['', folders]] : Object.entries(folders)));
  }

  /** Folders that do not exist. */
  missingFolders(): string[] {
    return [...this.folders.values()].filter((folder) => !existsSync(folder));
  }

  /** Checks that all folders exist. @throws {MdetrError} naming a folder that does not exist */
  requireFolders(): void {
    const [missing] = this.missingFolders();
    if (missing !== undefined) throw new MdetrError(`${missing}: there is no such folder of images (--images)`);
  }

  /**
   * Path of a row's image file, always inside its folder. If no file has the name, a file is taken whose name another
   * system would spell that way: see `otherSpellings`.
   *
   * @throws {MdetrError} for a file name that is outside of the folder, and for a collection without folder
   */
  pathOf({ file_name, data_source }: Pick<CocoImage, 'file_name' | 'data_source'>): string {
    const problem = fileNameProblem(file_name);
    if (problem !== undefined) throw new MdetrError(`file_name ${problem}`);
    const folder = this.folders.get(data_source ?? '') ?? this.folders.get('');
    if (folder === undefined)
      throw new MdetrError(
        `no image folder for ${data_source === undefined ? 'rows without data_source' : `data_source "${data_source}"`}: ` +
          `give one with --images ${data_source === undefined ? '' : `${data_source}=`}FOLDER`,
      );
    const path = join(folder, file_name);
    if (existsSync(path)) return path;
    const spelling = otherSpellings(file_name).find((name) => existsSync(join(folder, name)));
    return spelling === undefined ? path : join(folder, spelling);
  }
}

/**
 * Other spellings of a file name: with the separators of Windows, as a part of a URL, and with accents composed or
 * decomposed, as file systems of other systems store them. All are below the image folder.
 */
export const otherSpellings = (fileName: string): readonly string[] => {
  const spellings = new Set<string>();
  for (const slashes of [fileName, fileName.replaceAll('\\', '/')])
    for (const decoded of [slashes, percentDecoded(slashes)])
      for (const name of [decoded, decoded.normalize('NFC'), decoded.normalize('NFD')])
        if (fileNameProblem(name) === undefined) spellings.add(name);
  spellings.delete(fileName);
  return [...spellings];
};

const percentDecoded = (name: string): string => {
  try {
    return decodeURIComponent(name);
  } catch {
    return name; // A percent sign that is part of the name.
  }
};

/** Splits `SOURCE=PATH`; a path alone has no source. A source is a plain word, so that paths may contain an equals sign. */
export const splitSource = (text: string): { source?: string; path: string } => {
  const [, source, path] = /^([a-z][a-z0-9_+-]*)=(.+)$/is.exec(text) ?? [];
  return source === undefined || path === undefined ? { path: text } : { source, path };
};

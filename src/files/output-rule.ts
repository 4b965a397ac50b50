import { closeSync, existsSync, readdirSync, readSync, realpathSync, statSync, type BigIntStats } from 'node:fs';
import { basename, dirname, join, resolve, sep } from 'node:path';
import { fileReason, MdetrError, UsageError } from '../errors.ts';
import { openInputSync, otherKind } from './input-file.ts';

/** Files of a call. */
export interface OutputRuleOptions {
  /** Paths that the call reads. For a folder, the files in it (not those of its subfolders) count. Undefined ones are skipped. */
  readonly inputs?: readonly (string | undefined)[];
  /** Folders of images that the call may read, with their subfolders. Files in them that are not text are inputs. */
  readonly imageFolders?: readonly string[] | undefined;
  /** Reads the paths of images that are too many to hold. Existing outputs are compared with them by `checkListed`. */
  readonly listed?: (() => AsyncIterable<string>) | undefined;
  /** The call reads inputs that are not known yet: an existing output must be a text, which no image is. */
  readonly hasUnknownInputs?: boolean | undefined;
  /** Replace files whose names follow from a folder, a pattern or a default. */
  readonly overwrite?: boolean | undefined;
}

/**
 * Decides which existing files a call may replace. A file is replaced only if
 *
 * - the call names exactly its path as an output, or has `--overwrite`, or it is an older output of the same kind that says so,
 * - it is no input of the call, by whatever name or link, and
 * - it is a regular file.
 *
 * All outputs are checked before any work is done. Each is a different file.
 */
export class OutputRule {
  /** Inputs by device and inode, with the path that the call gave. */
  private readonly inputs = new Map<string, string>();
  /** Outputs by their real path, with the option that named them. */
  private readonly outputs = new Map<string, string>();
  private readonly overwrite: boolean;
  private readonly imageFolders: readonly string[];
  private readonly listed: (() => AsyncIterable<string>) | undefined;
  private readonly hasUnknownInputs: boolean;
  /** Existing outputs that have not been compared with the listed inputs. */
  private readonly existing = new Map<string, { readonly path: string; readonly option: string }>();

  constructor({
    inputs = [],
    imageFolders = [],
    listed,
    hasUnknownInputs = false,
    overwrite = false,
  }: OutputRuleOptions = {}) {
    this.overwrite = overwrite;
    this.listed = listed;
    this.hasUnknownInputs = hasUnknownInputs;
    this.imageFolders = imageFolders.filter((folder) => existsSync(folder)).map((folder) => realpathSync(folder));
    for (const input of inputs) if (input !== undefined) this.addInput(input);
  }

  /**
   * Checks an output that the call names exactly.
   * @param option the option with its value, for messages: `--out boxes.png`
   * @throws {UsageError} if the path is an input, a folder, a pipe or a device, or another output of the call
   */
  named(path: string, option: string): void {
    this.check(path, option);
    const real = realOutput(path);
    const other = this.outputs.get(real);
    if (other !== undefined) throw new UsageError(`${option}: ${other} writes the same file; name another one`);
    this.outputs.set(real, option);
  }

  /**
   * Checks an output whose name follows from a folder, a pattern or a default.
   * @throws {UsageError} as `named`, and if the file exists and `overwrite` is not set
   */
  derived(path: string, option: string): void {
    if (this.check(path, option) && !this.overwrite)
      throw new UsageError(`${option}: ${path} exists; pass --overwrite to replace it, or choose another name`);
  }

  /**
   * Checks an output whose name follows from a folder, and which may replace an older one of its kind.
   * @param what the kind, for messages: `report of mdetr`
   * @param mark text in the first bytes of every output of this kind
   * @throws {UsageError} as `named`, and if the file is something else and `overwrite` is not set
   */
  renewed(path: string, option: string, what: string, mark: string): void {
    if (this.check(path, option) && !this.overwrite && !headOf(path, option).includes(mark))
      throw new UsageError(`${option}: ${path} is no ${what}; choose another folder`);
    this.named(path, option);
  }

  /**
   * Checks a folder into which a call writes files of names that it does not know yet.
   * @throws {UsageError} if the path is something else, or a folder that is not empty and `overwrite` is not set
   */
  folder(path: string, option: string): void {
    const info = statSync(path, { throwIfNoEntry: false });
    if (info === undefined) return;
    if (!info.isDirectory())
      throw new UsageError(
        `${option}: ${path} is ${otherKind(info) ?? 'a file'}, but a folder is written; choose another name`,
      );
    if (!this.overwrite && readdirSync(path).length > 0)
      throw new UsageError(
        `${option}: ${path} is a folder with files in it; pass --overwrite to write into it, or choose another name`,
      );
  }

  /**
   * Checks that an output is no input and no folder or device, at the moment when it is written.
   * @throws {UsageError} if it is
   */
  checkInputs(path: string, option: string): void {
    this.check(path, option);
  }

  /**
   * Compares the existing outputs that were checked so far with the listed images, which are read only if such an output is no
   * text.
   * @param min number of outputs below which nothing is done
   * @throws {UsageError} if one is an input
   */
  async checkListed(min = 1): Promise<void> {
    if (this.listed === undefined || this.existing.size < min) return;
    for await (const input of this.listed()) {
      const info = identityOf(input);
      const output = info === undefined ? undefined : this.existing.get(keyOf(info));
      if (output !== undefined) throw isInput(output.path, output.option, input);
    }
    this.existing.clear();
  }

  /** Whether the path exists. */
  private check(path: string, option: string): boolean {
    const info = identityOf(path);
    if (info === undefined) return false;
    const input = this.inputs.get(keyOf(info));
    if (input !== undefined) throw isInput(path, option, input);
    const kind = otherKind(statSync(path));
    if (kind !== undefined) throw new UsageError(`${option}: ${path} is ${kind}; only regular files are written`);
    if (this.isImage(path, option))
      throw new UsageError(`${option}: ${path} is among the images of this call, and no text; choose another name`);
    if (!this.hasUnknownInputs && this.listed === undefined) return true;
    // Listed inputs are images, and no text is one.
    const isText = !headOf(path, option).includes('\0');
    if (this.hasUnknownInputs && !isText)
      throw new UsageError(
        `${option}: ${path} is no text, and may be an image that standard input lists; choose another name`,
      );
    if (!isText) this.existing.set(keyOf(info), { path, option });
    return true;
  }

  /** Whether an existing file lies in a folder of images and is none of the text files that outputs are. */
  private isImage(path: string, option: string): boolean {
    if (this.imageFolders.length === 0) return false;
    const real = realpathSync(path);
    const isBelow = this.imageFolders.some((folder) => real.startsWith(folder.endsWith(sep) ? folder : folder + sep));
    // Every image format has zero bytes in its header, and no output that is a text has any.
    return isBelow && headOf(path, option).includes('\0');
  }

  private addInput(path: string): void {
    const info = identityOf(path);
    if (info === undefined) return;
    if (!info.isDirectory()) {
      this.inputs.set(keyOf(info), path);
      return;
    }
    let names: readonly string[] = [];
    try {
      names = readdirSync(path);
    } catch {
      // A folder that cannot be listed is reported where it is read.
    }
    for (const name of names) {
      const file = join(path, name);
      const inner = identityOf(file);
      if (inner?.isFile() === true) this.inputs.set(keyOf(inner), file);
    }
  }
}

const isInput = (path: string, option: string, input: string): UsageError => {
  const isSame = resolve(path) === resolve(input);
  return new UsageError(
    `${option}: ${isSame ? '' : `${path} `}is an input of this call${isSame ? '' : ` (${input})`}; choose another name`,
  );
};

const HEAD_BYTES = 1024;

/** Beginning of a file as text. @throws {UsageError} if it cannot be read */
const headOf = (path: string, option: string): string => {
  try {
    const file = openInputSync(path);
    try {
      const bytes = Buffer.alloc(HEAD_BYTES);
      return bytes.toString('utf8', 0, readSync(file, bytes, 0, HEAD_BYTES, 0));
    } finally {
      closeSync(file);
    }
  } catch (error) {
    throw new UsageError(`${option}: ${path} cannot be replaced (${fileReason(error)})`, { cause: error });
  }
};

const keyOf = ({ dev, ino }: BigIntStats): string => `${dev}:${ino}`;

/** Status of the file that a path leads to, through links; undefined if there is none. */
const identityOf = (path: string): BigIntStats | undefined => {
  try {
    return statSync(path, { bigint: true, throwIfNoEntry: false });
  } catch (error) {
    throw new MdetrError(`${path}: cannot be looked up (${fileReason(error)})`, { cause: error });
  }
};

/** Path of an output with the links of its folder resolved. */
const realOutput = (path: string): string => {
  const folder = dirname(resolve(path));
  return join(existsSync(folder) ? realpathSync(folder) : folder, basename(path));
};

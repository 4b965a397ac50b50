import { existsSync } from 'node:fs';
import { dirname, isAbsolute, join } from 'node:path';
import type { ImageSource } from '../../data/images/image-source.ts';
import { MdetrError, UsageError } from '../../errors.ts';
import type { Shard } from '../options/shard-option.ts';
import { imagesBelow, isPlainImagePath, PLAIN_BLOCK } from './folder-images.ts';
import { linesOf, listBlocks, StoredInput } from './list-lines.ts';

/** An image of the command line: its name in results, and how it is read. */
export interface ListedImage {
  readonly name: string;
  readonly source: ImageSource;
}

/** Options of an image list. */
export interface ImageListOptions {
  readonly recursive?: boolean | undefined;
  /** Only the images of this part. */
  readonly shard?: Shard | undefined;
  /** The images are read several times: a list on standard input is stored in a temporary file first. */
  readonly isRepeated?: boolean | undefined;
}

/** Several images, whose paths are resolved when they are needed. */
interface Chunk {
  readonly count: number;
  at(index: number): ListedImage;
}

const URL_TEXT = /^(?:https?|file|data):/i;

/** Images of a call that are held in memory. The lists and folders of larger calls are read again. */
const HELD_IMAGES = 4096;

/** Images of a folder or pattern in one chunk. */
const CHUNK_IMAGES = 256;

/**
 * Images that the arguments of a command name, by the one rule of all commands: a path; a `file:`, `data:`, `http:` or
 * `https:` URL; `-`, an image on standard input; a folder, whose image files are taken in alphabetical order; a quoted
 * pattern such as `photos/*.jpg`; `@list.txt`, a file with one of these in each line (`@-`: a list on standard input). A line
 * of a list that ends like an image file is one, without a look at the disk.
 *
 * The images are a stream: lists and folders are read as the images are used, and only a few are held in memory.
 */
export class ImageList {
  /** Some images come from a folder, pattern or list, so that a single broken one should not stop the others. */
  readonly isBulk: boolean;
  /** Number of images; undefined for a list on standard input, which is read while the images are used. */
  readonly count: number | undefined;
  /** Files that the call reads, for the output rule: the lists, and the images of small calls. */
  readonly inputs: readonly string[];
  /** All images of a small call, those of other shards too. */
  private readonly held: readonly ListedImage[] | undefined;

  private constructor(
    private readonly args: Arguments,
    private readonly options: ImageListOptions,
    survey: Survey | undefined,
  ) {
    const { count = 1, index = 0 } = options.shard ?? {};
    this.isBulk = args.isBulk || options.shard !== undefined;
    this.count = survey === undefined ? undefined : Math.max(0, Math.ceil((survey.count - index) / count));
    this.held = survey?.held;
    const known = survey === undefined ? args.namedImages : (survey.held ?? []);
    this.inputs = [...args.listFiles, ...known.flatMap(pathOf)];
  }

  /**
   * Opens the images of a call. Lists and folders are read once, to count the images and to find what is wrong with them
   * before any work is done; a list on standard input is not.
   *
   * @throws {UsageError} for standard input that is named twice
   * @throws {MdetrError} if a list or folder cannot be read, and for a folder or pattern without images
   */
  static async open(texts: readonly string[], options: ImageListOptions = {}): Promise<ImageList> {
    const args = new Arguments(texts, options.recursive === true);
    if (!args.hasLiveList) return new ImageList(args, options, await surveyOf(args));
    if (options.isRepeated !== true) return new ImageList(args, options, undefined);
    await args.storeInput();
    try {
      return new ImageList(args, options, await surveyOf(args));
    } catch (error) {
      await args.close();
      throw error;
    }
  }

  /** Reads the paths of all images of a call that has too many for `inputs`, those of other shards too. */
  get listed(): (() => AsyncGenerator<string>) | undefined {
    return this.count === undefined || this.held !== undefined ? undefined : () => this.paths();
  }

  /** The images in their order, in chunks, as they become known. */
  async *chunks(): AsyncGenerator<readonly ListedImage[]> {
    const { count: shards = 1, index = 0 } = this.options.shard ?? {};
    let position = 0;
    for await (const chunk of this.allChunks()) {
      const images: ListedImage[] = [];
      const first = (((index - position) % shards) + shards) % shards;
      for (let i = first; i < chunk.count; i += shards) images.push(chunk.at(i));
      position += chunk.count;
      if (images.length > 0) yield images;
    }
  }

  /** Closes a list on standard input, or removes its copy. */
  async close(): Promise<void> {
    await this.args.close();
  }

  private async *paths(): AsyncGenerator<string> {
    for await (const chunk of this.allChunks()) for (let i = 0; i < chunk.count; i++) yield* pathOf(chunk.at(i));
  }

  private async *allChunks(): AsyncGenerator<Chunk> {
    const { held } = this;
    if (held === undefined) yield* this.args.chunks();
    else yield { count: held.length, at: (i) => held[i]! };
  }
}

/** Result of reading all lists and folders once. */
interface Survey {
  /** Number of images of all shards. */
  readonly count: number;
  /** The images, unless they are many. */
  readonly held: readonly ListedImage[] | undefined;
}

const surveyOf = async (args: Arguments): Promise<Survey> => {
  let held: ListedImage[] | undefined = [];
  let count = 0;
  for await (const chunk of args.chunks()) {
    count += chunk.count;
    if (count > HELD_IMAGES) held = undefined;
    for (let i = 0; held !== undefined && i < chunk.count; i++) held.push(chunk.at(i));
  }
  // Folders and patterns without images are refused where they are read.
  if (count === 0) throw new MdetrError(`${args.listFiles[0] ?? 'standard input'}: lists no images`);
  return { count, held };
};

/** The arguments that name images. */
class Arguments {
  readonly isBulk: boolean;
  /** Paths of the lists. */
  readonly listFiles: readonly string[];
  /** Images that the arguments themselves name. */
  readonly namedImages: readonly ListedImage[];
  private readonly items: readonly { readonly text: string; readonly list?: string }[];
  private stored: StoredInput | undefined;

  /** @throws {UsageError} for standard input that is named twice */
  constructor(
    texts: readonly string[],
    private readonly recursive: boolean,
  ) {
    this.items = texts.map((text) =>
      !text.startsWith('@') || text === '@' || existsSync(text) ? { text } : { text, list: text.slice(1) },
    );
    const fromInput = this.items.filter(({ text, list }) => (list ?? text) === '-');
    if (fromInput.length > 1) throw inputTwice(fromInput[1]!.text);
    this.listFiles = this.items.flatMap(({ list }) => (list === undefined || list === '-' ? [] : [list]));
    const named = this.items.filter(
      ({ text, list }) => list === undefined && (isNoFile(text) || imagesBelow(text, recursive) === undefined),
    );
    this.namedImages = named.map(({ text }) => imageOf(text));
    this.isBulk = named.length < texts.length;
  }

  /** Whether a list comes from standard input, and is not stored. */
  get hasLiveList(): boolean {
    return this.stored === undefined && this.items.some(({ list }) => list === '-');
  }

  /** Stores the list on standard input, so that it can be read again. */
  async storeInput(): Promise<void> {
    this.stored = await StoredInput.take();
  }

  async close(): Promise<void> {
    // A process whose input is still open would not end.
    if (this.hasLiveList) process.stdin.destroy();
    await this.stored?.remove();
  }

  /** All images, in their order. */
  async *chunks(): AsyncGenerator<Chunk> {
    const input = { isUsed: this.items.some(({ text, list }) => (list ?? text) === '-') };
    for (const { text, list } of this.items) {
      if (list === undefined) {
        yield* this.chunksOf(text);
        continue;
      }
      const path = list === '-' ? (this.stored?.path ?? '-') : list;
      const base = list === '-' ? undefined : dirname(list);
      for await (const block of listBlocks(path))
        if (PLAIN_BLOCK.test(block)) yield plainChunk(block, base);
        else yield* this.chunksOfLines(linesOf(block), base, input);
    }
  }

  /** @param input notes that standard input is used by an image */
  private async *chunksOfLines(
    lines: readonly string[],
    base: string | undefined,
    input: { isUsed: boolean },
  ): AsyncGenerator<Chunk> {
    // Lines up to one that may name several images are one chunk.
    let begun = 0;
    const until = (end: number): Chunk => {
      const first = begun;
      return { count: end - first, at: (i) => imageOf(resolved(lines[first + i]!, base)) };
    };
    for (const [index, line] of lines.entries()) {
      if (isPlainImagePath(line) || isNoFile(line)) {
        if (line !== '-') continue;
        if (input.isUsed) throw inputTwice(line);
        input.isUsed = true;
        continue;
      }
      const path = resolved(line, base);
      if (imagesBelow(path, this.recursive) === undefined) continue;
      yield until(index);
      yield* this.chunksOf(path);
      begun = index + 1;
    }
    yield until(lines.length);
  }

  private async *chunksOf(path: string): AsyncGenerator<Chunk> {
    const below = isNoFile(path) ? undefined : imagesBelow(path, this.recursive);
    if (below === undefined) {
      yield { count: 1, at: () => imageOf(path) };
      return;
    }
    let files: string[] = [];
    const take = (): Chunk => {
      const taken = files;
      files = [];
      return { count: taken.length, at: (i) => ({ name: taken[i]!, source: taken[i]! }) };
    };
    for await (const file of below) {
      files.push(file);
      if (files.length === CHUNK_IMAGES) yield take();
    }
    yield take();
  }
}

/** Images of a block that has one in each line. Its lines are separated only when one is needed: most are of other shards. */
const plainChunk = (block: string, base: string | undefined): Chunk => {
  let count = 1;
  for (let end = block.indexOf('\n'); end >= 0; end = block.indexOf('\n', end + 1)) count++;
  let lines: readonly string[] | undefined;
  return { count, at: (i) => imageOf(resolved((lines ??= linesOf(block))[i]!, base)) };
};

const isNoFile = (text: string): boolean => text === '-' || URL_TEXT.test(text);

const inputTwice = (text: string): UsageError => new UsageError(`${text}: standard input can be read once only`);

/** Path of a line: relative to the current folder if it exists there, else to the folder of the list. */
const resolved = (line: string, base: string | undefined): string =>
  base === undefined || isNoFile(line) || isAbsolute(line) || existsSync(line) ? line : join(base, line);

const imageOf = (text: string): ListedImage => {
  if (text === '-') return { name: 'stdin', source: process.stdin };
  return { name: /^data:/i.test(text) ? 'data URI' : text, source: text };
};

/** Path of an image that is a file. */
const pathOf = ({ source }: ListedImage): string[] =>
  typeof source === 'string' && !URL_TEXT.test(source) ? [source] : [];

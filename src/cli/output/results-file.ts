import { closeSync, createReadStream, existsSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import type { ExportResultsOptions } from '../../datasets/export/export-results.ts';
import { exporterNamed } from '../../datasets/export/exporters.ts';
import { fileReason, MdetrError, UsageError } from '../../errors.ts';
import { AppendFile } from '../../files/append-file.ts';
import { openInputSync } from '../../files/input-file.ts';
import { parseJson } from '../../files/json/json-text.ts';
import { NameTable } from '../../files/name-table.ts';
import { makeFolder } from '../../files/make-folder.ts';
import type { OutputRule } from '../../files/output-rule.ts';
import { parseResult } from '../../results/schema.ts';
import { withoutEndSlash } from '../options/option-values.ts';
import { exportWithNotes } from './exported-results.ts';

/** Options of a results file. */
export interface ResultsFileOptions extends ExportResultsOptions {
  /** Path of `--results`. */
  readonly path: string;
  /** Format of `--format`; `jsonl` is the results themselves. */
  readonly format: string;
  readonly resume: boolean;
  readonly overwrite: boolean;
  readonly captions: readonly string[];
  /** The file is one part of the results of several calls: while it is unfinished, a file beside it says so. */
  readonly isPart: boolean;
  /** The model that the call names; undefined if it is chosen for each image. */
  readonly model: string | undefined;
}

/** File beside the part of a sharded call that is there until the part is complete. */
export const unfinishedMark = (part: string): string => `${part}.unfinished`;

/** Maximum time in milliseconds for which written results may be lost by a power failure. A kill loses none of them. */
const SYNC_MS = 1000;

/**
 * The results of `--results`. They are appended image by image to a journal, a file with one result in each line, which at
 * the end is the file itself (`jsonl`) or is converted to the format. An image is in the journal completely or not at all, so
 * a run that was killed at any moment is resumed with every image exactly once.
 */
export class ResultsFile {
  private readonly journal: AppendFile;
  private synced = Date.now();
  /** Number of images that this run has added. */
  written = 0;
  /** Number of images for which `wasDone` was true. */
  skipped = 0;

  private constructor(
    private readonly options: ResultsFileOptions,
    private readonly journalPath: string,
    private readonly found: Journal,
  ) {
    this.journal = new AppendFile(journalPath, found.bytes);
  }

  /** Number of images that an earlier run has done. */
  get resumed(): number {
    return this.found.images;
  }

  /**
   * Opens the results of a new or resumed run.
   * @throws {UsageError} if the format needs other options, an interrupted run is there and `resume` is not set, or its
   *   results are of other captions
   */
  static async open(options: ResultsFileOptions, rule: OutputRule): Promise<ResultsFile> {
    const { path, format, resume } = options;
    const bare = withoutEndSlash(path);
    const isPlain = format === 'jsonl';
    if (!isPlain) {
      const exporter = exporterNamed(format);
      if (exporter.needsAnnotations === true && options.annotations === undefined)
        throw new UsageError(`--format ${format} needs the ids of an annotation file: --annotations FILE`);
      if (exporter.target === 'file') rule.named(bare, `--results ${path}`);
      // The call that is resumed may have ended while it wrote the folder.
      else if (!resume) rule.folder(bare, `--results ${path}`);
    }
    const journalPath = isPlain ? bare : `${bare}.journal.jsonl`;
    if (isPlain) rule.named(bare, `--results ${path}`);
    else rule.checkInputs(journalPath, `--results ${path}`);
    if (!isPlain && existsSync(journalPath) && !resume && !options.overwrite)
      throw new UsageError(
        `${journalPath}: is left of an interrupted run; pass --resume to continue it, or --overwrite to start again`,
      );
    await makeFolder(dirname(bare));
    // Results that are resumed are no image: their lines are checked.
    if (!resume) await rule.checkListed();
    const found =
      resume && existsSync(journalPath)
        ? await readJournal(journalPath, options)
        : { bytes: 0, images: 0, done: new NameTable() };
    try {
      if (options.isPart) writeFileSync(unfinishedMark(bare), '');
    } catch (error) {
      throw new MdetrError(`${unfinishedMark(bare)}: cannot be written (${fileReason(error)})`, { cause: error });
    }
    return new ResultsFile(options, journalPath, found);
  }

  /** Whether the image was done by an earlier run. Every call stands for one occurrence of the image. */
  wasDone(image: string): boolean {
    const left = this.found.images === 0 ? 0 : (this.found.done.get(image) ?? 0);
    if (left === 0) return false;
    this.found.done.set(image, left - 1);
    this.skipped++;
    return true;
  }

  /** Appends the results of one image, all at once. */
  add(lines: readonly Readonly<Record<string, unknown>>[]): void {
    this.journal.append(lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
    this.written++;
    if (Date.now() - this.synced < SYNC_MS) return;
    this.journal.flush();
    this.synced = Date.now();
  }

  /** Completes the file: syncs it, or converts the journal and removes it. Prints what the format cannot hold. */
  async finish(): Promise<void> {
    this.journal.flush();
    this.journal.close();
    if (this.options.format !== 'jsonl') {
      await exportWithNotes(this.journalPath, this.options);
      rmSync(this.journalPath);
    }
    if (this.options.isPart) rmSync(unfinishedMark(withoutEndSlash(this.options.path)), { force: true });
  }

  /** Closes the journal, which a later run can resume. */
  close(): void {
    this.found.done.close();
    try {
      this.journal.close();
    } catch {
      // Closed already.
    }
  }
}

/** Contents of a journal. */
interface Journal {
  /** Length of its complete images. */
  readonly bytes: number;
  readonly images: number;
  /** How many times each image is complete. */
  readonly done: NameTable;
}

const readJournal = async (path: string, { captions, model }: ResultsFileOptions): Promise<Journal> => {
  closeSync(openInputSync(path));
  const done = new NameTable();
  let [bytes, images] = [0, 0];
  let [position, number] = [0, 0];
  let group: string | undefined;
  for await (const line of wholeLines(path)) {
    position += line.length + 1;
    const where = `${path}: line ${++number}`;
    const result = parseResult(parseJson(line.toString('utf8'), where), where);
    const { captionIndex, caption, image } = result;
    if (caption !== captions[captionIndex] || (model !== undefined && result.model !== model))
      throw new UsageError(
        `${where}: is a result of another call (caption "${caption.slice(0, 100)}", model ${result.model}); resume with the same captions and model`,
      );
    if (captionIndex === 0) group = image;
    if (captionIndex === captions.length - 1 && group === image) {
      done.set(image, (done.get(image) ?? 0) + 1);
      images++;
      bytes = position;
    }
  }
  return { bytes, images, done };
};

/** Lines of a file that end with a line break, without it. A line that a kill cut off is left out. */
async function* wholeLines(path: string): AsyncGenerator<Buffer> {
  let rest: Buffer = Buffer.alloc(0);
  for await (const chunk of createReadStream(path) as AsyncIterable<Buffer>) {
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    let from = 0;
    for (let end = rest.indexOf(10, from); end >= 0; end = rest.indexOf(10, from)) {
      yield rest.subarray(from, end);
      from = end + 1;
    }
    rest = rest.subarray(from);
  }
}

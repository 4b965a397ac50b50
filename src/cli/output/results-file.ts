import { closeSync, createReadStream, existsSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import type { ExportResultsOptions } from '../../datasets/export/export-results.ts';
import { exporterNamed } from '../../datasets/export/exporters.ts';
import { fileReason, MdetrError, UsageError } from '../../errors.ts';
import { AppendFile } from '../../files/append-file.ts';
import { openInputSync } from '../../files/input-file.ts';
import { parseJson } from '../../files/json/json-text.ts';
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
  /** The model that the call names; undefined if it is chosen for each image. */
  readonly model: string | undefined;
}

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
  written = 0;

  private constructor(
    private readonly options: ResultsFileOptions,
    private readonly journalPath: string,
    keep: number,
    /** Number of results of each image that the journal had. */
    private readonly done: Map<string, number>,
  ) {
    this.journal = new AppendFile(journalPath, keep);
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
    }
    const journalPath = isPlain ? bare : `${bare}.journal.jsonl`;
    if (isPlain) rule.named(bare, `--results ${path}`);
    else rule.checkInputs(journalPath, `--results ${path}`);
    if (!isPlain && existsSync(journalPath) && !resume && !options.overwrite)
      throw new UsageError(
        `${journalPath}: is left of an interrupted run; pass --resume to continue it, or --overwrite to start again`,
      );
    await makeFolder(dirname(bare));
    const found = resume && existsSync(journalPath) ? await readJournal(journalPath, options) : undefined;
    try {
      return new ResultsFile(options, journalPath, found?.bytes ?? 0, found?.done ?? new Map<string, number>());
    } catch (error) {
      throw new MdetrError(`${journalPath}: cannot be written (${fileReason(error)})`, { cause: error });
    }
  }

  /** Whether the image was done by an earlier run. Every call stands for one occurrence of the image. */
  wasDone(image: string): boolean {
    const left = this.done.get(image) ?? 0;
    if (left === 0) return false;
    if (left === 1) this.done.delete(image);
    else this.done.set(image, left - 1);
    return true;
  }

  /** Appends the results of one image, all at once. */
  add(lines: readonly Readonly<Record<string, unknown>>[]): void {
    try {
      this.journal.append(lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
      this.written++;
      if (Date.now() - this.synced < SYNC_MS) return;
      this.journal.flush();
      this.synced = Date.now();
    } catch (error) {
      throw new MdetrError(`${this.journalPath}: cannot be written (${fileReason(error)})`, { cause: error });
    }
  }

  /** Completes the file: syncs it, or converts the journal and removes it. Prints what the format cannot hold. */
  async finish(): Promise<void> {
    this.journal.flush();
    this.journal.close();
    if (this.options.format === 'jsonl') return;
    await exportWithNotes(this.journalPath, this.options);
    rmSync(this.journalPath);
  }

  /** Closes the journal, which a later run can resume. */
  close(): void {
    try {
      this.journal.close();
    } catch {
      // Closed already.
    }
  }
}

/** Results that a journal has, and the length of its complete images in bytes. */
const readJournal = async (
  path: string,
  { captions, model }: ResultsFileOptions,
): Promise<{ readonly bytes: number; readonly done: Map<string, number> }> => {
  closeSync(openInputSync(path));
  const done = new Map<string, number>();
  let bytes = 0;
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
      bytes = position;
    }
  }
  return { bytes, done };
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

import { statSync } from 'node:fs';
import { Command } from 'commander';
import { AnnotationIndex } from '../../../data/annotation-index/annotation-index.ts';
import { Progress } from '../../output/progress.ts';
import { formatBytes, formatCount } from '../../output/table.ts';
import { print } from '../../output/print.ts';

const HELP = `
Training, checking and combining build the index they need on first use; this command builds it in advance. It takes
about as long as reading the file twice, and about 100 MB of memory for files of any size. The index (FILE.mdetr-index,
about a tenth of the file's size) is written beside the file, or to the cache folder if the file's folder is read-only. It
is rebuilt when the file changes. Files ending in .jsonl have one image per line, with its "annotations" inside.

Example
  mdetr data index final_mixed_train.json final_flickr_separateGT_train.json`;

/** `mdetr data index`: builds the index for random access to large annotation files. */
export const indexCommand = (): Command =>
  new Command('index')
    .description('Build the index for random access to annotation files of any size.')
    .argument('<file...>', 'annotation files, .json or .jsonl')
    .option('--rebuild', 'rebuild the index even if it is up to date')
    .addHelpText('after', HELP)
    .action((files: string[], { rebuild }: { readonly rebuild?: boolean }) => {
      for (const file of files) {
        const progress = new MegabyteProgress(file);
        const index = AnnotationIndex.open(file, { rebuild, onProgress: (done, total) => progress.show(done, total) });
        progress.stop();
        print(
          `${file}: ${formatCount(index.length)} rows, ${formatCount(index.annotationCount)} annotations` +
            (index.orphanCount > 0 ? ` (${formatCount(index.orphanCount)} more belong to no image)` : '') +
            `; ${index.indexFile}, ${formatBytes(statSync(index.indexFile).size)}\n`,
        );
        index.close();
      }
    });

/** Progress bar of building an index. It appears with the first bytes read, so an existing index shows none. */
export class MegabyteProgress {
  private readonly what: string;
  private bar: Progress | undefined;
  private shown = 0;

  constructor(file: string) {
    this.what = `indexing ${file}, MB`;
  }

  show(bytesDone: number, bytesTotal: number): void {
    this.bar ??= new Progress(this.what, Math.ceil(bytesTotal / 1e6), { resultsComeLast: true });
    const done = Math.floor(bytesDone / 1e6);
    this.bar.advance(done - this.shown);
    this.shown = done;
  }

  stop(): void {
    this.bar?.stop();
    this.bar = undefined;
    this.shown = 0;
  }
}

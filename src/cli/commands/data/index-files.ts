import { statSync } from 'node:fs';
import { Command } from 'commander';
import { AnnotationIndex } from '../../../data/annotation-index/annotation-index.ts';
import { Progress } from '../../output/progress.ts';
import { formatBytes, formatCount } from '../../output/table.ts';

const help = `
Training, checking and combining make the index they need by themselves, at first use; this makes it beforehand. It takes
about as long as reading the file twice, whatever its size, in some 100 MB of memory. The index (FILE.mdetr-index, about
a tenth of the file) lies beside the file, or in the cache folder where the file's folder cannot be written. A file that
changes is indexed anew. Files ending in .jsonl hold one image per line with its "annotations" inside.

Example
  mdetr data index final_mixed_train.json final_flickr_separateGT_train.json`;

/** `mdetr data index`: makes random access to huge annotation files ready. */
export const indexCommand = (): Command =>
  new Command('index')
    .description('Makes annotation files of any size ready for random access.')
    .argument('<file...>', 'annotation files, .json or .jsonl')
    .option('--rebuild', 'make the index anew even where a good one is')
    .addHelpText('after', help)
    .action((files: string[], { rebuild }: { readonly rebuild?: boolean }) => {
      for (const file of files) {
        const progress = new MegabyteProgress(file);
        const index = AnnotationIndex.open(file, { rebuild, onProgress: (done, total) => progress.show(done, total) });
        progress.stop();
        process.stdout.write(
          `${file}: ${formatCount(index.length)} rows, ${formatCount(index.annotationCount)} annotations` +
            (index.orphanCount > 0 ? ` (${formatCount(index.orphanCount)} more belong to no image)` : '') +
            `; ${index.indexFile}, ${formatBytes(statSync(index.indexFile).size)}\n`,
        );
        index.close();
      }
    });

/** The bar of an index being made: it appears with the first bytes, so that an index that is there shows none. */
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

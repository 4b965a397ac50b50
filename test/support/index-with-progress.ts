/** Indexes the file named on the command line and writes a dot to stdout at every progress callback. */
import { writeSync } from 'node:fs';
import { AnnotationIndex } from '../../src/data/annotation-index/annotation-index.ts';

const [path, chunkBytes] = process.argv.slice(2);
AnnotationIndex.open(path!, { chunkBytes: Number(chunkBytes), onProgress: () => writeSync(1, '.') }).close();
writeSync(1, 'done');

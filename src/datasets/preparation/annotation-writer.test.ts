import { chmodSync, existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { fixtureFolder, runPreparation, temporaryFolder } from '../../../test/support/run-preparation.ts';
import { AnnotationIndex } from '../../data/annotation-index/annotation-index.ts';
import { RowReader } from '../../data/annotation-index/row-reader.ts';
import { RowIds, writeAnnotations } from './annotation-writer.ts';
import { flickr30k } from '../flickr30k/flickr30k.ts';

const image = { file_name: 'a.jpg', width: 10, height: 10, caption: 'a dog' };
const box = { bbox: [1, 2, 3, 4] as const, area: 12, iscrowd: 0, category_id: 1, tokens_positive: [[0, 5]] as const };

describe('writeAnnotations', () => {
  it('writes rows that the index reads back, with consecutive ids across files', async () => {
    const out = join(temporaryFolder(), 'new/folder');
    const ids = new RowIds();
    for (const name of ['a.json', 'b.json']) {
      const file = await writeAnnotations(out, name, ids, async (writer) => {
        for (let row = 0; row < 3000; row++)
          await writer.write({ ...image, note: '🐕'.repeat(50) }, [box, box], 'here');
        return { info: { year: 2021 } };
      });
      expect(file).toEqual({ path: join(out, name), images: 3000, annotations: 6000 });
    }
    expect(readdirSync(out)).toEqual(['a.json', 'b.json']);
    const index = AnnotationIndex.open(join(out, 'b.json'));
    const reader = new RowReader(index);
    expect([index.length, index.annotationCount, index.idOf(0)]).toEqual([3000, 6000, 3000]);
    expect(reader.read(2999)).toMatchObject({ image: { id: 5999 }, annotations: [{ id: 11998 }, { id: 11999 }] });
    index.close();
    expect(readFileSync(join(out, 'a.json'), 'utf8')).toMatch(
      /^\{"info":\{"year":2021\},\n"licenses":\[\],\n"images":\[\n/,
    );
  });

  it('writes a file without rows', async () => {
    const out = temporaryFolder();
    await writeAnnotations(out, 'a.json', new RowIds(), () => Promise.resolve(undefined));
    expect(JSON.parse(readFileSync(join(out, 'a.json'), 'utf8'))).toMatchObject({ images: [], annotations: [] });
  });

  it('keeps only the old file when a row is invalid or writing fails', async () => {
    const out = temporaryFolder();
    writeFileSync(join(out, 'a.json'), 'old');
    const attempt = (caption: string, span: [number, number]): Promise<unknown> =>
      writeAnnotations(out, 'a.json', new RowIds(), async (writer) => {
        await writer.write({ ...image, caption }, [{ ...box, tokens_positive: [span] }], 'source.json: [7]');
        throw new Error('stopped');
      });
    await expect(attempt('🐕🐕', [0, 3])).rejects.toThrow(
      'source.json: [7]: annotations[0].tokens_positive[0] [0, 3] ends outside the caption of 2 characters',
    );
    await expect(attempt('🐕🐕', [0, 2])).rejects.toThrow('stopped');
    expect(readdirSync(out)).toEqual(['a.json']);
    expect(readFileSync(join(out, 'a.json'), 'utf8')).toBe('old');
  });

  it('reports a folder that cannot be written', async () => {
    const out = temporaryFolder();
    writeFileSync(join(out, 'file'), '');
    await expect(
      writeAnnotations(join(out, 'file'), 'a.json', new RowIds(), () => Promise.resolve(undefined)),
    ).rejects.toThrow(/file: the folder cannot be created \(a file with this name exists\)/);
    if (process.getuid?.() === 0) return; // root may write anywhere
    chmodSync(out, 0o500);
    await expect(writeAnnotations(out, 'a.json', new RowIds(), () => Promise.resolve(undefined))).rejects.toThrow(
      /permission denied/,
    );
  });

  it('leaves no file when a preparation is stopped between two images', async () => {
    const out = join(temporaryFolder(), 'out');
    const stopped = runPreparation(flickr30k, fixtureFolder('flickr30k'), {
      out,
      onAdvance() {
        throw new Error('stopped by SIGINT');
      },
    });
    await expect(stopped).rejects.toThrow('stopped by SIGINT');
    expect(existsSync(out) ? readdirSync(out) : []).toEqual([]);
  });
});

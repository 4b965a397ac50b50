import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import type { ImportedImage, Importer } from '../../src/datasets/import/importer.ts';
import { importerNamed, importers, recognizeSource, registerImporter } from '../../src/datasets/import/importers.ts';
import { ImportSource } from '../../src/datasets/import/import-source.ts';
import { Remarks } from '../../src/datasets/preparation/remarks.ts';
import { BadRows } from '../../src/datasets/source/bad-rows.ts';
import { temporaryFolder } from '../support/run-preparation.ts';

/** A made-up format: one line per box, `FILE WIDTH HEIGHT X Y W H LABEL`. */
const linesImporter: Importer = {
  name: 'lines',
  title: 'lines of boxes',
  files: '*.boxes',
  recognize: (source) => Promise.resolve(source.files.filter((file) => file.endsWith('.boxes'))),
  async *read(source, files, { leftOut }) {
    await Promise.resolve();
    for (const file of files)
      for (const [i, line] of readFileSync(join(source.root, file), 'utf8').trim().split('\n').entries()) {
        const location = `${file}: line ${i + 1}`;
        const [fileName = '', ...rest] = line.split(' ');
        const [width, height, x, y, w, h] = rest.map(Number) as [number, number, number, number, number, number];
        if (!(w > 0 && h > 0)) leftOut.add('boxes without area', location);
        else
          yield {
            fileName,
            path: source.findImage(fileName, file),
            width,
            height,
            objects: [{ label: rest.slice(6).join(' '), bbox: [x, y, w, h], location }],
            location,
          };
      }
  },
};

it('a new importer is registered with one call, recognizes its files and reads them', async () => {
  const before = importers().length;
  const unregister = registerImporter(linesImporter);
  onTestFinished(unregister);
  expect(importers()).toHaveLength(before + 1);
  expect(importerNamed('lines')).toBe(linesImporter);
  expect(() => registerImporter({ ...linesImporter })).toThrow('an importer named "lines" is registered already');

  const folder = temporaryFolder();
  writeFileSync(join(folder, 'a.boxes'), 'a.jpg 40 30 1 2 3 4 red car\na.jpg 40 30 1 2 0 4 dog\n');
  const source = await ImportSource.open(folder);
  const { importer, files } = await recognizeSource(source);
  const leftOut = new Remarks();
  const options = { leftOut, notes: new Remarks(), badRows: new BadRows('stop', leftOut) };
  const images: ImportedImage[] = [];
  for await (const image of importer.read(source, files, options)) images.push(image);
  expect(images).toMatchObject([
    { fileName: 'a.jpg', width: 40, height: 30, objects: [{ label: 'red car', bbox: [1, 2, 3, 4] }] },
  ]);
  expect(leftOut.list).toEqual([{ what: 'boxes without area', count: 1, examples: ['a.boxes: line 2'] }]);

  unregister();
  expect(importers()).toHaveLength(before);
  expect(() => importerNamed('lines')).toThrow('unknown format "lines"; choose from coco, voc');
});

import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import sharp from 'sharp';
import { ImportSource } from '../../src/datasets/import/import-source.ts';
import { recognizeSource } from '../../src/datasets/import/importers.ts';
import { placeImages } from '../../src/datasets/import/placed-images.ts';
import { Remarks } from '../../src/datasets/preparation/remarks.ts';
import { BadRows } from '../../src/datasets/source/bad-rows.ts';
import { temporaryFolder } from './run-preparation.ts';

/** Source folder with empty images of 100 x 50 pixels, and text files. */
export const sourceOf = async (
  images: readonly string[],
  files: Readonly<Record<string, unknown>>,
): Promise<string> => {
  const folder = temporaryFolder();
  for (const name of images) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    await sharp({ create: { width: 100, height: 50, channels: 3, background: '#338' } }).toFile(join(folder, name));
  }
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(
      join(folder, name),
      typeof content === 'string' || Buffer.isBuffer(content) ? content : JSON.stringify(content),
    );
  }
  return folder;
};

/** Objects of a source: image, split if stated, label, box in whole pixels. */
export const readSource = async (folder: string): Promise<{ format: string; objects: string[]; notes: string[] }> => {
  const source = await ImportSource.open(folder);
  const { importer, files } = await recognizeSource(source);
  const [leftOut, notes] = [new Remarks(), new Remarks()];
  const options = { leftOut, notes, badRows: new BadRows('stop', leftOut) };
  const images = await placeImages(importer.read(source, files, options), options);
  const objects = images.flatMap(({ path, split, objects: own }) =>
    own.map(({ label, bbox }) =>
      [path.slice(folder.length + 1), split ?? '-', label, ...bbox.map(Math.round)].join(' '),
    ),
  );
  return { format: importer.name, objects: objects.sort(), notes: notes.list.map(({ what }) => what) };
};

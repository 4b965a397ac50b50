// Cuts the annotated aerial photographs of the Python package deepforest 2.1.0 into tiles, with one CSV of their boxes:
//   pip download deepforest==2.1.0 --no-deps && unzip -q deepforest-2.1.0-*.whl 'deepforest/data/*'
//   node examples/trees/cut.mjs deepforest/data trees
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';

/** Side of a tile in pixels. */
const TILE = 224;
/** A tree counts in a tile if at least this fraction of its box is inside. */
const MIN_INSIDE = 0.5;
const [FIRST, SECOND] = ['2019_YELL_2_528000_4978000_image_crop2', '2019_YELL_2_541000_4977000_image_crop'];
/** Columns of the photographs. No pixel is in two parts, and the tiles that are measured do not overlap. */
const PARTS = [
  { part: 'train', photograph: FIRST, columns: [0, 1792], step: 112 },
  { part: 'train', photograph: SECOND, columns: [0, 784], step: 112 },
  { part: 'val', photograph: FIRST, columns: [1792, 2299], step: TILE },
  { part: 'test', photograph: SECOND, columns: [784, 1249], step: TILE },
];

const [source, out] = process.argv.slice(2);
if (!source || !out) throw new Error('usage: node examples/trees/cut.mjs FOLDER_OF_THE_PACKAGE OUT');

/** Boxes of a Pascal VOC file, as [xmin, ymin, xmax, ymax] in pixels. */
const boxesOf = (path) =>
  [
    ...readFileSync(path, 'utf8').matchAll(
      /<xmin>(\d+)<\/xmin>\s*<ymin>(\d+)<\/ymin>\s*<xmax>(\d+)<\/xmax>\s*<ymax>(\d+)/g,
    ),
  ].map((found) => found.slice(1).map(Number));

const rows = ['split,image,xmin,ymin,xmax,ymax,class'];
for (const { part, photograph, columns, step } of PARTS) {
  const [image, boxes] = [join(source, `${photograph}.png`), boxesOf(join(source, `${photograph}.xml`))];
  const { height } = await sharp(image).metadata();
  mkdirSync(join(out, part), { recursive: true });
  const counts = { tiles: 0, trees: 0 };
  for (let top = 0; top + TILE <= height; top += step)
    for (let left = columns[0]; left + TILE <= columns[1]; left += step) {
      const trees = boxes.flatMap(([x0, y0, x1, y1]) => {
        const box = [x0 - left, y0 - top, x1 - left, y1 - top].map((value) => Math.min(Math.max(value, 0), TILE));
        const area = (box[2] - box[0]) * (box[3] - box[1]);
        return area >= MIN_INSIDE * (x1 - x0) * (y1 - y0) ? [box] : [];
      });
      const file = `${part}/${photograph === FIRST ? 'first' : 'second'}-${left}-${top}.png`;
      const tile = { left, top, width: TILE, height: TILE };
      await sharp(image).extract(tile).removeAlpha().png().toFile(join(out, file));
      // A row without a box is an image without objects, from which the model learns what an absent tree looks like.
      if (trees.length === 0) rows.push(`${part},${file},,,,,`);
      for (const box of trees) rows.push(`${part},${file},${box.join()},tree`);
      counts.tiles++;
      counts.trees += trees.length;
    }
  console.log(`${part}: ${counts.tiles} images, ${counts.trees} trees`);
}
writeFileSync(join(out, 'labels.csv'), [...rows, ''].join('\n'));

/**
 * Measures the choice between the embedded models by the kind of an image: scenes of a seed, photographs of the sources, and
 * objects cut out of photographs on plain grounds of gray, white and black.
 *
 *     npx tsx scripts/photos/measure-choice.ts SOURCES [--scenes 2000]
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { decodeImage } from '../../src/data/images/node/decode-image.ts';
import type { RawImage } from '../../src/data/images/raw-image.ts';
import { maskFromPolygon } from '../../src/geometry/polygon.ts';
import { maskToDense, maskUnion } from '../../src/geometry/run-lengths.ts';
import { kindOfImage } from '../../src/inference/image-domain.ts';
import { Random } from '../../src/random/random.ts';
import { generateScene } from '../../src/scenes/index.ts';

const SEED = 900_000_113;
const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: { scenes: { type: 'string', default: '2000' }, cutouts: { type: 'string', default: '200' } },
});
const [sources] = positionals;
if (sources === undefined) throw new Error('usage: measure-choice.ts SOURCES');

interface Row {
  readonly file: string;
  readonly human: readonly { readonly segmentation?: readonly (readonly number[])[] }[];
}
const rowsOf = (source: string): Row[] =>
  readFileSync(join(sources, `${source}.jsonl`), 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Row);
const report = (name: string, right: number, total: number): void =>
  console.log(`${name}: ${right} of ${total} (${((100 * right) / total).toFixed(2)} %)`);

let scenes = 0;
for (let index = 0; index < Number(values.scenes); index++) {
  const size = index % 2 === 0 ? { width: 192, height: 128 } : { width: 480, height: 320 };
  if (kindOfImage(generateScene(SEED, index, { ...size, quality: 'fast' }).image) === 'scene') scenes++;
}
report('scenes', scenes, Number(values.scenes));

for (const source of ['coco', 'voc', 'indoor', 'caltech101', 'flickr8k']) {
  const rows = rowsOf(source).filter((_, index) => source !== 'flickr8k' || index % 8 === 0);
  let photographs = 0;
  for (const { file } of rows)
    if (kindOfImage(await decodeImage(join(sources, file), { orientation: 'stored' })) === 'photograph') photographs++;
  report(`photographs of ${source}`, photographs, rows.length);
}

/** Object on a plain ground, with a slight gradient and noise as a photograph of a product has. */
const onPlainGround = (
  image: RawImage,
  polygon: readonly (readonly number[])[],
  level: number,
  random: Random,
): RawImage => {
  const { width, height } = image;
  const mask = maskToDense(
    maskUnion(
      polygon.map((points) => maskFromPolygon(points, height, width)),
      height,
      width,
    ),
  );
  const slope = random.between(-12, 25);
  const data = Uint8Array.from(image.data, (value, i) => {
    const pixel = Math.floor(i / 3);
    if (mask[pixel] === 1) return value;
    const ground = level + slope * (Math.floor(pixel / width) / height) + random.between(-2, 2);
    return Math.min(255, Math.max(0, Math.round(ground)));
  });
  return { width, height, channels: 3, data };
};
const random = Random.of(SEED, 'cutouts');
const cuttable = rowsOf('coco').flatMap(({ file, human }) =>
  human.flatMap(({ segmentation }) => (segmentation === undefined ? [] : [{ file, segmentation }])),
);
let plain = 0;
for (let k = 0; k < Number(values.cutouts); k++) {
  const { file, segmentation } = cuttable[random.below(cuttable.length)]!;
  const image = await decodeImage(join(sources, file), { orientation: 'stored' });
  const level = [255, 0, random.between(60, 210)][k % 3]!;
  if (kindOfImage(onPlainGround(image, segmentation, level, random)) === 'photograph') plain++;
}
report('cut-outs on plain gray, white and black grounds', plain, Number(values.cutouts));

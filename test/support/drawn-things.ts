import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';
import { Random } from '../../src/random/random.ts';

/** Nouns that no model knows, and what they are: rings, crosses and stars of any color. */
export const NEW_NOUNS = ['blicket', 'wug', 'dax'] as const;
export type NewNoun = (typeof NEW_NOUNS)[number];

/** Whether a thing covers a point; x and y from -1 to 1 over its box. */
const SHAPES: Readonly<Record<NewNoun, (x: number, y: number) => boolean>> = {
  blicket: (x, y) => Math.hypot(x, y) < 1 && Math.hypot(x, y) > 0.55,
  wug: (x, y) => Math.max(Math.abs(x), Math.abs(y)) <= 1 && Math.min(Math.abs(x), Math.abs(y)) < 0.28,
  dax: (x, y) => Math.abs(x) ** 0.5 + Math.abs(y) ** 0.5 < 1,
};

export interface DrawnImage {
  readonly data: Buffer;
  readonly width: number;
  readonly height: number;
  /** Boxes [x, y, width, height] in pixels. */
  readonly things: readonly { readonly noun: NewNoun; readonly box: readonly [number, number, number, number] }[];
}

const WIDTH = 144;
const HEIGHT = 96;

/** Draws one thing of each noun, of random colors and sizes, without overlap, on a noisy background. */
export const drawThings = (seed: number, index: number): DrawnImage => {
  const random = Random.of(seed, index, 'things');
  const data = Buffer.alloc(WIDTH * HEIGHT * 3);
  const background = random.between(60, 200);
  for (let i = 0; i < data.length; i++) data[i] = Math.max(0, Math.min(255, background + 12 * random.normal()));
  const columns = random.shuffled([0, 1, 2]);
  const things = NEW_NOUNS.map((noun, k) => {
    const size = random.integer(22, 40);
    const x0 = columns[k]! * 48 + random.integer(2, 46 - size);
    const y0 = random.integer(2, HEIGHT - size - 2);
    const color = random.shuffled([random.between(180, 255), random.between(0, 70), random.between(0, 255)]);
    for (let y = 0; y < size; y++)
      for (let x = 0; x < size; x++) {
        const scale = (at: number): number => (2 * (at + 0.5)) / size - 1;
        if (!SHAPES[noun](scale(x), scale(y))) continue;
        color.forEach((value, channel) => (data[((y0 + y) * WIDTH + x0 + x) * 3 + channel] = value));
      }
    return { noun, box: [x0, y0, size, size] as const };
  });
  return { data, width: WIDTH, height: HEIGHT, things };
};

/**
 * Writes images and an annotation file in the official format: a caption for each noun ("the wug"), and one for all three.
 * Returns the paths.
 */
export const writeThings = async (folder: string, seed: number, count: number) => {
  const images = join(folder, 'images');
  mkdirSync(images, { recursive: true });
  const rows: object[] = [];
  const annotations: object[] = [];
  for (let index = 0; index < count; index++) {
    const { data, width, height, things } = drawThings(seed, index);
    const file_name = `things-${index}.png`;
    await sharp(data, { raw: { width, height, channels: 3 } })
      .png()
      .toFile(join(images, file_name));
    const captions = [
      ...things.map(({ noun }) => `the ${noun}`),
      `the ${NEW_NOUNS[0]}, a ${NEW_NOUNS[1]} and a ${NEW_NOUNS[2]}`,
    ];
    for (const caption of captions) {
      const id = rows.length + 1;
      rows.push({ id, file_name, width, height, caption, tokens_negative: [], dataset_name: 'things' });
      for (const { noun, box } of things) {
        const at = caption.indexOf(noun);
        if (at === -1) continue;
        const span = [caption.lastIndexOf(' ', at - 2) + 1, at + noun.length];
        annotations.push({
          id: annotations.length + 1,
          image_id: id,
          category_id: 1,
          iscrowd: 0,
          bbox: box,
          area: box[2] * box[3],
          tokens_positive: [span],
        });
      }
    }
  }
  const path = join(folder, 'train.json');
  writeFileSync(path, JSON.stringify({ images: rows, annotations, categories: [{ id: 1, name: 'thing' }] }));
  return { annotations: path, images };
};

/**
 * Draws the images of this example and writes their annotations: flat shapes on paper, which a model trained on
 * rendered scenes has never seen. Ten to train on, six to measure by.
 *
 *     npx tsx examples/finetune/draw.ts
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import sharp from 'sharp';

const folder = dirname(fileURLToPath(import.meta.url));
const [width, height] = [192, 128];
const colors = {
  red: '#d8392b',
  blue: '#2c5fd0',
  green: '#2e9e4f',
  yellow: '#e8c021',
  purple: '#8a3fb5',
  gray: '#8a8a8a',
} as const;
const shapes = ['ball', 'cube', 'cylinder'] as const;

type Color = keyof typeof colors;
type Shape = (typeof shapes)[number];
interface Thing {
  readonly color: Color;
  readonly shape: Shape;
  /** x, y, width, height */
  readonly box: readonly [number, number, number, number];
}

/** A generator of uniform numbers in [0, 1), so that the images are the same every time (mulberry32). */
const randomFrom = (seed: number) => (): number => {
  seed = (seed + 0x6d2b79f5) | 0;
  let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
  return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
};

const svgOf = ({ color, shape, box: [x, y, w, h] }: Thing): string => {
  const fill = `fill="${colors[color]}" stroke="#333333" stroke-width="1.5"`;
  if (shape === 'ball') return `<ellipse cx="${x + w / 2}" cy="${y + h / 2}" rx="${w / 2}" ry="${h / 2}" ${fill}/>`;
  if (shape === 'cube') return `<rect x="${x}" y="${y}" width="${w}" height="${h}" ${fill}/>`;
  return `<rect x="${x}" y="${y}" width="${w}" height="${h}" rx="${w / 2.5}" ry="7" ${fill}/>`;
};

const thingsOf = (random: () => number): Thing[] => {
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)]!;
  const count = 2 + Math.floor(random() * 2);
  const taken = new Set<string>();
  // One thing a column, so that none hides another.
  return Array.from({ length: count }, (_, column) => {
    const shape = pick(shapes);
    let color = pick(Object.keys(colors) as Color[]);
    while (taken.has(color)) color = pick(Object.keys(colors) as Color[]);
    taken.add(color);
    const side = 26 + Math.floor(random() * 18);
    const [w, h] = shape === 'cylinder' ? [side - 4, side + 12] : [side, side];
    const room = width / count;
    const x = Math.floor(column * room + 4 + random() * (room - w - 8));
    return { color, shape, box: [x, Math.floor(8 + random() * (height - h - 16)), w, h] as const };
  });
};

/** "a red ball, a blue cube and a gray cylinder", and where each phrase stands. */
const captionOf = (things: readonly Thing[]): { caption: string; spans: [number, number][] } => {
  let caption = '';
  const spans = things.map(({ color, shape }, index): [number, number] => {
    if (index > 0) caption += index === things.length - 1 ? ' and ' : ', ';
    const begin = caption.length;
    caption += `a ${color} ${shape}`;
    return [begin, caption.length];
  });
  return { caption, spans };
};

const write = async (part: 'train' | 'val', count: number, seed: number): Promise<void> => {
  mkdirSync(join(folder, 'pictures'), { recursive: true });
  const random = randomFrom(seed);
  const images: object[] = [];
  const annotations: object[] = [];
  for (let id = 1; id <= count; id++) {
    const things = thingsOf(random);
    const { caption, spans } = captionOf(things);
    const file = `${part}-${id}.png`;
    const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}"><rect width="100%" height="100%" fill="#f7f3e8"/>${things.map(svgOf).join('')}</svg>`;
    await sharp(Buffer.from(svg))
      .removeAlpha()
      .png({ palette: true, colors: 64 })
      .toFile(join(folder, 'pictures', file));
    images.push({ id, file_name: file, width, height, caption });
    things.forEach(({ box }, index) =>
      annotations.push({ id: annotations.length + 1, image_id: id, bbox: box, tokens_positive: [spans[index]] }),
    );
  }
  writeFileSync(join(folder, `${part}.json`), `${JSON.stringify({ images, annotations }, undefined, 1)}\n`);
};

await write('train', 10, 11);
await write('val', 6, 12);

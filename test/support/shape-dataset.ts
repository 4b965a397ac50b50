import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';
import { Random } from '../../src/random/random.ts';

const [WIDTH, HEIGHT] = [192, 128];

/** Outlines of the shapes in a square of side 1. */
const SHAPES: Readonly<Record<string, readonly (readonly [number, number])[]>> = {
  star: Array.from({ length: 10 }, (_, i): [number, number] => {
    const [radius, angle] = [i % 2 === 0 ? 0.5 : 0.21, (i * Math.PI) / 5 - Math.PI / 2];
    return [0.5 + radius * Math.cos(angle), 0.5 + radius * Math.sin(angle)];
  }),
  arrow: [[0, 0.32], [0.55, 0.32], [0.55, 0.05], [1, 0.5], [0.55, 0.95], [0.55, 0.68], [0, 0.68]],
  cross: [[0.34, 0], [0.66, 0], [0.66, 0.34], [1, 0.34], [1, 0.66], [0.66, 0.66], [0.66, 1], [0.34, 1], [0.34, 0.66], [0, 0.66], [0, 0.34], [0.34, 0.34]],
}; // prettier-ignore

/** Names of the drawn shapes, which the default model does not know. */
export const SHAPE_NAMES = Object.keys(SHAPES);

/**
 * Draws images of flat shapes in random colors, sizes and places on plain paper, and writes them with a COCO file
 * (`instances.json`) into a folder.
 */
export const drawShapes = async (folder: string, count: number, seed = 1): Promise<void> => {
  mkdirSync(join(folder, 'images'), { recursive: true });
  const images: object[] = [];
  const annotations: object[] = [];
  for (let id = 0; id < count; id++) {
    const random = Random.of(seed, 'shapes', id);
    const objects = Array.from({ length: random.integer(1, 4) }, () => {
      const name = SHAPE_NAMES[random.below(SHAPE_NAMES.length)]!;
      const side = random.between(24, 44);
      return {
        name,
        side,
        x: 0,
        y: 0,
        color: `hsl(${Math.floor(random.between(0, 360))},70%,${Math.floor(random.between(30, 55))}%)`,
      };
    });
    // One in a column, so that none hides another.
    objects.forEach((object, column) => {
      const room = WIDTH / objects.length;
      object.x = column * room + random.between(1, Math.max(1.5, room - object.side - 1));
      object.y = random.between(2, HEIGHT - object.side - 2);
    });
    const shapes = objects.map(({ name, side, x, y, color }) => {
      const points = SHAPES[name]!.map(([px, py]) => `${x + px * side},${y + py * side}`);
      return `<polygon points="${points.join(' ')}" fill="${color}" stroke="#333" stroke-width="1"/>`;
    });
    const paper = Math.floor(random.between(215, 250));
    const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${HEIGHT}"><rect width="100%" height="100%" fill="rgb(${paper},${paper},${paper - 8})"/>${shapes.join('')}</svg>`;
    const file = `shapes-${String(id).padStart(4, '0')}.png`;
    await sharp(Buffer.from(svg))
      .png()
      .toFile(join(folder, 'images', file));
    images.push({ id, file_name: file, width: WIDTH, height: HEIGHT });
    for (const { name, side, x, y } of objects) {
      const [xs, ys] = [0, 1].map((axis) => SHAPES[name]!.map((point) => point[axis]!));
      const [left, top] = [Math.min(...xs!), Math.min(...ys!)];
      const box = [x + left * side, y + top * side, (Math.max(...xs!) - left) * side, (Math.max(...ys!) - top) * side];
      annotations.push({ image_id: id, category_id: SHAPE_NAMES.indexOf(name), bbox: box });
    }
  }
  const categories = SHAPE_NAMES.map((name, id) => ({ id, name }));
  writeFileSync(join(folder, 'instances.json'), JSON.stringify({ images, annotations, categories }));
};

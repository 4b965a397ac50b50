import { execFileSync, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { mkdirSync } from 'node:fs';
import sharp from 'sharp';
import type { BoxXyxy } from '../../src/geometry/boxes.ts';
import { iouXyxy } from '../../src/geometry/box-overlap.ts';
import { Random } from '../../src/random/random.ts';
import { cross, normalize, subtract, type Camera, type Vector } from '../../src/scenes/render/camera.ts';
import { sampleLights } from '../../src/scenes/render/lights.ts';
import { render } from '../../src/scenes/render/render.ts';
import { RENDER_QUALITIES } from '../../src/scenes/render/scene.ts';
import { halfHeight, Solids, type PlacedObject } from '../../src/scenes/render/solids.ts';
import { mapInstances } from '../../src/scenes/render/visibility.ts';

export const hasFfmpeg = spawnSync('ffmpeg', ['-version']).status === 0;

const SIZE = { width: 192, height: 128 };
const FPS = 10;
const FRAMES = 100;
export const CLIP_CAPTION = 'two red balls, a blue cube and a green cylinder';

/** Ground truth of a frame: the box of each object that is seen, by index. */
export type ClipFrame = ReadonlyMap<number, BoxXyxy>;

/**
 * Draws a clip of ten seconds as PNG files and encodes it: two balls of one kind cross, a cube leaves for ten frames and
 * returns, a cylinder stands, and the camera moves. Without motion, all stand still.
 */
export const drawClip = async (folder: string, isMoving: boolean): Promise<{ path: string; frames: ClipFrame[] }> => {
  mkdirSync(folder, { recursive: true });
  const frames: ClipFrame[] = [];
  for (let frame = 0; frame < FRAMES; frame++) {
    const { image, boxes } = drawFrame(isMoving ? frame : 0);
    frames.push(boxes);
    await sharp(image.data, { raw: { ...SIZE, channels: 3 } })
      .png()
      .toFile(join(folder, `${String(frame).padStart(3, '0')}.png`));
  }
  const path = join(folder, 'clip.mp4');
  const pattern = join(folder, '%03d.png');
  execFileSync('ffmpeg', [
    '-v',
    'error',
    '-y',
    '-framerate',
    String(FPS),
    '-i',
    pattern,
    '-pix_fmt',
    'yuv444p',
    '-q:v',
    '2',
    path,
  ]);
  return { path, frames };
};

const drawFrame = (frame: number) => {
  const t = frame / (FRAMES - 1);
  const place = (index: number, x: number, y: number): PlacedObject | undefined => {
    const kinds = [
      { shape: 'sphere', color: 'red', material: 'rubber', size: 'large' },
      { shape: 'sphere', color: 'red', material: 'rubber', size: 'large' },
      { shape: 'cube', color: 'blue', material: 'rubber', size: 'large' },
      { shape: 'cylinder', color: 'green', material: 'rubber', size: 'large' },
    ] as const;
    const kind = kinds[index]!;
    return { ...kind, position: [x, y, halfHeight(kind)], rotation: 20 };
  };
  // The balls cross in the middle, one in front of the other.
  const placed = [
    place(0, -2.4 + 4.8 * t, -1.6),
    place(1, 2.4 - 4.8 * t, 0.1),
    frame >= 40 && frame < 50 ? undefined : place(2, -2.2 + 0.8 * t, 2.4),
    place(3, 2.2, 2.2),
  ];
  const objects = placed.flatMap((object, index) => (object === undefined ? [] : [{ object, index }]));
  const solids = new Solids(objects.map(({ object }) => object));
  const camera = cameraAt(t);
  const map = mapInstances(camera, solids, SIZE.width, SIZE.height);
  const image = render(camera, solids, sampleLights(Random.of(5, 'clip')), map, RENDER_QUALITIES.fast);
  const boxes = new Map<number, BoxXyxy>();
  objects.forEach(({ index }, i) => {
    const box = boundsOf(map.ids, i + 1);
    if (box !== undefined) boxes.set(index, box);
  });
  return { image, boxes };
};

const cameraAt = (t: number): Camera => {
  const swing = Math.sin(2 * Math.PI * t);
  const position: Vector = [7.2 + 0.4 * swing, -6.8 + 0.5 * swing, 5.1];
  const forward = normalize(subtract([0.5 * swing, 0.3 * swing, 0.15], position));
  const right = normalize(cross(forward, [0, 0, 1]));
  return { position, forward, right, up: cross(right, forward) };
};

const boundsOf = (ids: Uint8Array, id: number): BoxXyxy | undefined => {
  let [x0, y0, x1, y1] = [Infinity, Infinity, -1, -1];
  ids.forEach((value, at) => {
    if (value !== id) return;
    const [x, y] = [at % SIZE.width, Math.floor(at / SIZE.width)];
    [x0, y0, x1, y1] = [Math.min(x0, x), Math.min(y0, y), Math.max(x1, x + 1), Math.max(y1, y + 1)];
  });
  return x1 < 0 ? undefined : [x0, y0, x1, y1];
};

/** How well tracks follow the objects of a clip. */
export interface ClipScore {
  /** Fraction of the objects that were detected in their frames. */
  readonly detected: number;
  /** Fraction of the detected objects whose number is the one that their object has in most frames. */
  readonly right: number;
  /** Changes of an object's number. */
  readonly switches: number;
}

/** Compares the tracks of each frame with the ground truth. */
export const scoreClip = (
  frames: readonly ClipFrame[],
  tracked: readonly (readonly { readonly box: BoxXyxy; readonly track: number }[])[],
): ClipScore => {
  const ids = new Map<number, number[]>();
  let [all, found] = [0, 0];
  frames.forEach((boxes, frame) => {
    const free = new Set(tracked[frame] ?? []);
    for (const [object, box] of boxes) {
      all++;
      const best = [...free].sort((a, b) => iouXyxy(b.box, 0, box, 0) - iouXyxy(a.box, 0, box, 0))[0];
      if (best === undefined || iouXyxy(best.box, 0, box, 0) < 0.5) continue;
      free.delete(best);
      found++;
      ids.set(object, [...(ids.get(object) ?? []), best.track]);
    }
  });
  let [right, switches] = [0, 0];
  for (const own of ids.values()) {
    const counts = own.map((id) => own.filter((other) => other === id).length);
    right += Math.max(...counts);
    switches += own.filter((id, i) => i > 0 && id !== own[i - 1]).length;
  }
  return { detected: found / all, right: right / found, switches };
};

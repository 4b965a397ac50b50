import { afterEach, describe, expect, it, vi } from 'vitest';
import { generateScene } from '../../scenes/index.ts';
import type { DecodedImage } from '../input/image-reader.ts';
import { ImageModels } from './image-models.ts';

const scene = { name: 'scene.png', raw: generateScene(33, 0, { width: 192, height: 128, quality: 'fast' }).image };
const pixels = Uint8Array.from({ length: 64 * 48 * 3 }, (_, i) => (i * 7919) % 256);
const photo = { name: 'photo.jpg', raw: { width: 64, height: 48, channels: 3 as const, data: pixels } };
const images = [scene, photo, photo, scene] as unknown as readonly DecodedImage[];

describe('ImageModels', () => {
  afterEach(() => vi.restoreAllMocks());

  it('gives each image the embedded model for its kind, loaded once, and says when it is not the default', async () => {
    const written = vi.spyOn(process.stderr, 'write').mockReturnValue(true);
    const models = new ImageModels({ device: 'cpu', threads: 1 });
    try {
      const groups = await models.groupsOf(images);
      expect(groups.map(({ images: own }) => own.map(({ name }) => name))).toEqual([
        ['scene.png'],
        ['photo.jpg', 'photo.jpg'],
        ['scene.png'],
      ]);
      expect(groups[0]!.model).toBe(groups[2]!.model);
      expect(groups[1]!.model).not.toBe(groups[0]!.model);
      const said = written.mock.calls.map(([text]) => String(text)).join('');
      expect(said).not.toMatch(/scene\.png looks/);
      expect(said.match(/looks like a photograph: model "photos"/g)).toHaveLength(1);
    } finally {
      await models.dispose();
    }
  });

  it.each(['masks', 'answers'] as const)('takes the only model that predicts %s for every image', async (task) => {
    const written = vi.spyOn(process.stderr, 'write').mockReturnValue(true);
    const models = new ImageModels({ device: 'cpu', threads: 1 }, {}, task);
    const groups = await models.groupsOf([photo, scene] as unknown as readonly DecodedImage[]);
    expect(groups.map(({ images: own }) => own.length)).toEqual([2]);
    expect(written.mock.calls.map(([text]) => String(text)).join('')).toMatch(
      new RegExp(`photo\\.jpg looks like a photograph; .* predicts no ${task}`),
    );
    await models.dispose();
  });

  it('takes the model that is named for every image', async () => {
    const models = new ImageModels({ model: 'default', device: 'cpu', threads: 1 });
    const groups = await models.groupsOf(images);
    expect(groups.map(({ images: own }) => own.length)).toEqual([4]);
    await models.dispose();
  });
});

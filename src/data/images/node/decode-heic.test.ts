import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, vi } from 'vitest';
import { decodeHeic } from './decode-heic.ts';
import { decodeImage } from './decode-image.ts';

/** Four quadrants of one color each, 64 x 48, and the same file with a box that turns it clockwise. */
const fixture = (name: string): string =>
  fileURLToPath(new URL(`../../../../test/fixtures/images/${name}.heic`, import.meta.url));

const RED = [200, 40, 40];
const GREEN = [40, 200, 40];
const BLUE = [40, 40, 200];
const YELLOW = [220, 220, 60];

describe('HEIC', () => {
  it.each([
    ['quadrants', 64, 48, [RED, GREEN, BLUE, YELLOW]],
    ['quadrants-turned', 48, 64, [BLUE, RED, YELLOW, GREEN]],
  ])('%s is read with its own turning', async (name, width, height, colors) => {
    const image = await decodeImage(fixture(name));
    expect([image.width, image.height]).toEqual([width, height]);
    const found = [0, 1, 2, 3].map((quadrant) => {
      const [x, y] = [quadrant % 2 === 0 ? 5 : width - 6, quadrant < 2 ? 5 : height - 6];
      return [...image.data.subarray((y * width + x) * 3, (y * width + x) * 3 + 3)];
    });
    for (const [i, color] of colors.entries())
      for (const channel of [0, 1, 2])
        expect(Math.abs(found[i]![channel]! - color[channel]!), `quadrant ${i}`).toBeLessThanOrEqual(3);
  });

  it('is refused when it is damaged, and nothing is logged', async () => {
    const bytes = await readFile(fixture('quadrants'));
    const log = vi.spyOn(console, 'log').mockImplementation(() => undefined);
    for (const length of [40, 200, 420, bytes.length - 40])
      await expect(decodeImage(bytes.subarray(0, length), { name: 'cut.heic' }), `${length} bytes`).rejects.toThrow(
        /^cut\.heic: /,
      );
    expect(log).not.toHaveBeenCalled();
    log.mockRestore();
  });

  it('leaves the console as it was after several at once', async () => {
    const { log } = console;
    const bytes = await readFile(fixture('quadrants'));
    const broken = bytes.subarray(0, bytes.length - 40);
    await Promise.allSettled([bytes, broken, bytes, broken].map((each) => decodeHeic(each)));
    expect(console.log).toBe(log);
  });

  it('is charged against the pixel limit', async () => {
    await expect(decodeImage(fixture('quadrants'), { maxPixels: 1000 })).rejects.toThrow(/64x48 is .* million pixels/);
  });
});

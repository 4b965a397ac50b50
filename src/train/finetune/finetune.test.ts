import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { finetune } from './finetune.ts';

const folder = mkdtempSync(join(tmpdir(), 'mdetr-finetune-refused-'));
const source = join(folder, 'boxes.csv');
const out = join(folder, 'out');

beforeAll(async () => {
  const names = ['a.png', 'b.png', 'c.png'];
  for (const [i, name] of names.entries())
    await sharp({ create: { width: 64, height: 48, channels: 3, background: { r: 40 * i, g: 90, b: 60 } } })
      .png()
      .toFile(join(folder, name));
  writeFileSync(source, `image,label,xmin,ymin,xmax,ymax\n${names.map((name) => `${name},cup,4,4,30,30\n`).join('')}`);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('a fine-tuning run that is refused', () => {
  it.each([
    ['an unknown setting', 'nonsense=1', /nonsense/],
    ['a value of the wrong type', 'lr="fast"', /lr/],
    ['a model that does not fit the weights', 'hidden_dim=77', /hidden_dim|77/],
  ])('leaves nothing: %s', async (_name, setting, message) => {
    await expect(finetune({ source, out, settings: [setting] })).rejects.toThrow(message);
    expect(existsSync(out)).toBe(false);
  });

  it('removes no file that was there', async () => {
    mkdirSync(join(out, 'run'), { recursive: true });
    writeFileSync(join(out, 'run', 'mine.txt'), 'mine');
    await expect(finetune({ source, out, settings: ['nonsense=1'] })).rejects.toThrow(/nonsense/);
    expect(readdirSync(out)).toEqual(['run']);
    expect(readdirSync(join(out, 'run'))).toEqual(['mine.txt']);
  });
});

import { describe, expect, it } from 'vitest';
import type { RawImage } from '../data/images/raw-image.ts';
import { prepareImage, resizeAhead } from './preprocess.ts';

const image = (width: number, height: number): RawImage => ({
  width,
  height,
  channels: 3,
  data: Uint8Array.from({ length: 3 * width * height }, (_, at) => (7 * at) % 256),
});
const small = { shortestEdge: 8, longestEdge: 16 };

describe('an image that is resized before its model is ready', () => {
  it('is the one that would be made later, and is used once', () => {
    const original = image(24, 20);
    const { resized } = prepareImage(original, small);
    resizeAhead(original, small);
    const first = prepareImage(original, small).resized;
    const second = prepareImage(original, small).resized;
    expect(first).toEqual(resized);
    expect(second).toEqual(resized);
    expect(second).not.toBe(first);
  });

  it('is resized again for a model of another size', () => {
    const original = image(24, 20);
    resizeAhead(original, { shortestEdge: 10, longestEdge: 12 });
    expect(prepareImage(original, small).resized).toEqual(prepareImage(image(24, 20), small).resized);
  });

  it('is refused only when it is prepared, with its name', () => {
    const narrow = image(900, 1);
    resizeAhead(narrow, small);
    expect(() => prepareImage(narrow, small, { name: 'strip.png' })).toThrow(/strip\.png: .* too narrow/);
  });
});

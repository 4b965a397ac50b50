import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { plainPngSize } from './png-header.ts';

const base = () => sharp({ create: { width: 7, height: 5, channels: 3, background: '#338' } });

describe('size of a PNG from its chunks', () => {
  it('is read from a file of plain chunks, also with a palette, alpha or 16 bits', async () => {
    const files = [
      base().png(),
      base().png({ palette: true }),
      base().ensureAlpha().png(),
      base().toColourspace('rgb16').png(),
    ];
    for (const file of files) expect(plainPngSize(await file.toBuffer())).toEqual({ width: 7, height: 5 });
  });

  it('is left to the decoder where another chunk may turn the image or add frames', async () => {
    expect(plainPngSize(await base().withMetadata({ orientation: 6 }).png().toBuffer())).toBeUndefined();
    const plain = await base().png().toBuffer();
    for (const type of ['acTL', 'zTXt', 'eXIf', 'IHDR']) {
      const chunk = Buffer.concat([Buffer.alloc(4), Buffer.from(type), Buffer.alloc(4)]);
      // Behind the signature and the header, which take 33 bytes.
      const file = Buffer.concat([plain.subarray(0, 33), chunk, plain.subarray(33)]);
      expect(plainPngSize(file), type).toBeUndefined();
    }
  });

  it('is left to the decoder where the file is cut off, or its header is damaged', async () => {
    const plain = await base().png().toBuffer();
    for (let end = 8; end < plain.length; end++) expect(plainPngSize(plain.subarray(0, end))).toBeUndefined();
    for (const [at, byte] of [
      [8, 0xff],
      [11, 14],
      [12, 0x41],
    ] as const) {
      const damaged = Buffer.from(plain);
      damaged[at] = byte;
      expect(plainPngSize(damaged)).toBeUndefined();
    }
    expect(plainPngSize(Buffer.from(plain).fill(0, 16, 20))).toBeUndefined();
  });
});

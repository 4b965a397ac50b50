import { readFileSync } from 'node:fs';
import sharp, { type Sharp } from 'sharp';
import { findPackageFile, packageRequire, requirePackageFile } from '../../files/package-folder.ts';
import type { RawImage } from '../../data/images/raw-image.ts';
import type { DrawingFormat, DrawingPlatform } from '../draw.ts';
import { Typeface } from '../typeface.ts';

/** The font in the built package, and in a checkout that is not built. */
const FONT_FILE = 'dist/bundled/dejavu-sans.woff';
const FONT_SOURCE = '@fontsource/dejavu-sans/files/dejavu-sans-latin-400-normal.woff';

let loaded: Typeface | undefined;

/** The font of drawings, parsed at first use. */
export const typeface = (): Typeface => (loaded ??= new Typeface(readFileSync(fontPath())));

const fontPath = (): string => findPackageFile(FONT_FILE) ?? sourcePath() ?? requirePackageFile(FONT_FILE);

const sourcePath = (): string | undefined => {
  try {
    return packageRequire.resolve(FONT_SOURCE);
  } catch {
    return undefined;
  }
};

const encoders: { readonly [F in DrawingFormat]: (drawn: Sharp) => Sharp } = {
  png: (drawn) => drawn.png(),
  // Full color resolution: with halved chroma, thin colored lines fray.
  jpeg: (drawn) => drawn.jpeg({ quality: 92, chromaSubsampling: '4:4:4' }),
  webp: (drawn) => drawn.webp({ quality: 92, effort: 2 }),
};

/** Drawing with `sharp`. */
export const nodePlatform: DrawingPlatform = {
  typeface,
  rasterize: (svg) => sharp(new TextEncoder().encode(svg)).ensureAlpha().raw({ depth: 'uchar' }).toBuffer(),
  encode: ({ width, height, channels, data }: RawImage, format) =>
    encoders[format](sharp(data, { raw: { width, height, channels } })).toBuffer(),
};

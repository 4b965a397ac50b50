import { rawImageFromPixels, type RawImage } from '../data/images/raw-image.ts';
import { MdetrError } from '../errors.ts';

/**
 * Pixels of a bitmap, alpha dropped. A 2D canvas multiplies colors by alpha, which loses those of transparent pixels;
 * images with transparency are read by WebGL, which does not, where the browser has it.
 */
export const rgbOfBitmap = (bitmap: ImageBitmap): Promise<RawImage> => {
  const { width, height } = bitmap;
  const drawn = drawnPixels(bitmap);
  const data = (isOpaque(drawn) ? undefined : unmultipliedPixels(bitmap)) ?? drawn;
  return Promise.resolve(rawImageFromPixels({ width, height, channels: 4, data }));
};

const drawnPixels = (bitmap: ImageBitmap): Uint8ClampedArray => {
  const { width, height } = bitmap;
  const context = new OffscreenCanvas(width, height).getContext('2d', { willReadFrequently: true });
  if (context === null)
    throw new MdetrError(`the browser has no canvas of ${width}x${height} pixels; make the image smaller`);
  context.drawImage(bitmap, 0, 0);
  return context.getImageData(0, 0, width, height).data;
};

const isOpaque = (rgba: Uint8ClampedArray): boolean => {
  for (let at = 3; at < rgba.length; at += 4) if (rgba[at] !== 255) return false;
  return true;
};

/** RGBA as it is stored in the bitmap; undefined without WebGL, or if the image exceeds its textures. */
const unmultipliedPixels = (bitmap: ImageBitmap): Uint8Array | undefined => {
  const { width, height } = bitmap;
  const gl = new OffscreenCanvas(1, 1).getContext('webgl');
  if (gl === null) return undefined;
  try {
    if (Math.max(width, height) > gl.getParameter(gl.MAX_TEXTURE_SIZE)) return undefined;
    gl.pixelStorei(gl.UNPACK_PREMULTIPLY_ALPHA_WEBGL, false);
    gl.pixelStorei(gl.UNPACK_COLORSPACE_CONVERSION_WEBGL, gl.NONE);
    const texture = gl.createTexture();
    gl.bindTexture(gl.TEXTURE_2D, texture);
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA, gl.RGBA, gl.UNSIGNED_BYTE, bitmap);
    gl.bindFramebuffer(gl.FRAMEBUFFER, gl.createFramebuffer());
    gl.framebufferTexture2D(gl.FRAMEBUFFER, gl.COLOR_ATTACHMENT0, gl.TEXTURE_2D, texture, 0);
    if (gl.checkFramebufferStatus(gl.FRAMEBUFFER) !== gl.FRAMEBUFFER_COMPLETE) return undefined;
    const rgba = new Uint8Array(width * height * 4);
    gl.readPixels(0, 0, width, height, gl.RGBA, gl.UNSIGNED_BYTE, rgba);
    return gl.getError() === gl.NO_ERROR ? rgba : undefined;
  } finally {
    // Contexts are few; without this they are kept until garbage collection.
    gl.getExtension('WEBGL_lose_context')?.loseContext();
  }
};

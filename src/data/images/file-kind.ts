/** The kind of a file by its content, whatever its name says. */
export type FileKind =
  /** A raster image that can be decoded. */
  | { readonly decoder: 'libvips' | 'libheif' | 'bmp'; readonly name: string; readonly problem?: undefined }
  /** Anything else: `problem` completes "FILE: …" and says what helps. */
  | { readonly decoder?: undefined; readonly name: string; readonly problem: string };

/** The formats that can be decoded, for messages and help. */
export const READABLE_FORMATS = 'JPEG, PNG, WebP, GIF, TIFF, AVIF, HEIC or BMP';

/** Bytes at the start of a file that decide its kind. */
const INSPECTED_BYTES = 4096;

interface Signature {
  readonly name: string;
  readonly decoder?: 'libvips' | 'bmp';
  /** Reason and way out; by default the format is named and a conversion is advised. */
  readonly problem?: string;
  /** The first bytes, one character a byte. A question mark stands for any byte. */
  readonly starts: readonly string[];
}

const CONVERT = 'convert it to PNG or JPEG';

/** Checked in order: a longer signature stands before a shorter one with the same start. */
const SIGNATURES: readonly Signature[] = [
  { name: 'JPEG', decoder: 'libvips', starts: ['\xff\xd8\xff'] },
  { name: 'PNG', decoder: 'libvips', starts: ['\x89PNG\r\n\x1a\n'] },
  {
    name: 'damaged PNG',
    problem:
      'is a PNG image whose line ends were converted, as by a transfer in text mode; copy it again in binary mode',
    starts: ['\x89PNG\r\r\n', '\x89PNG\n\x1a', '\x89PNG\r\n\x1a\r\n', '\x89PNG\n\n', '\xef\xbf\xbdPNG'],
  },
  { name: 'WebP', decoder: 'libvips', starts: ['RIFF????WEBP'] },
  { name: 'GIF', decoder: 'libvips', starts: ['GIF87a', 'GIF89a'] },
  {
    name: 'camera raw (CR2)',
    problem: `is a camera raw file (CR2), which is not supported; develop it and export PNG or JPEG`,
    starts: ['II*\0????CR'],
  },
  { name: 'TIFF', decoder: 'libvips', starts: ['II*\0', 'MM\0*', 'II+\0', 'MM\0+'] },
  { name: 'JPEG 2000', starts: ['\0\0\0\x0cjP  \r\n\x87\n', '\xff\x4f\xff\x51'] },
  { name: 'JPEG XL', starts: ['\xff\x0a', '\0\0\0\x0cJXL \r\n\x87\n'] },
  { name: 'JPEG XR', starts: ['II\xbc'] },
  { name: 'PSD (Photoshop)', starts: ['8BPS'] },
  { name: 'OpenEXR', starts: ['v/1\x01'] },
  { name: 'Radiance HDR', starts: ['#?RADIANCE', '#?RGBE'] },
  { name: 'DDS', starts: ['DDS '] },
  { name: 'QOI', starts: ['qoif'] },
  // TGA has no signature: behind the type of its pixels come five zeros where there is no color table.
  { name: 'TGA', starts: ['\0\0\x02\0\0\0\0\0', '\0\0\x0a\0\0\0\0\0', '\0\0\x03\0\0\0\0\0'] },
  { name: 'icon (ICO)', starts: ['\0\0\x01\0', '\0\0\x02\0'] },
  { name: 'icon (ICNS)', starts: ['icns'] },
  { name: 'PCX', starts: ['\x0a\x05\x01'] },
  { name: 'SGI image', starts: ['\x01\xda\0\x01', '\x01\xda\x01\x01'] },
  { name: 'FITS', starts: ['SIMPLE  ='] },
  { name: 'XCF (GIMP)', starts: ['gimp xcf'] },
  {
    name: 'camera raw',
    problem: 'is a camera raw file, which is not supported; develop it and export PNG or JPEG',
    starts: ['IIRO', 'IIRS', 'IIU\0', 'FUJIFILMCCD-RAW'],
  },
  { name: 'PDF', problem: 'is a PDF document; export its page as PNG or JPEG', starts: ['%PDF-'] },
  {
    name: 'PostScript',
    problem: 'is a PostScript document; export it as PNG or JPEG',
    starts: ['%!PS', '\xc5\xd0\xd3\xc6'],
  },
  {
    name: 'archive',
    problem: 'is an archive (zip, gzip, 7z, rar or xz), not an image; unpack it',
    starts: ['PK\x03\x04', 'PK\x05\x06', '\x1f\x8b', '7z\xbc\xaf', 'Rar!', '\xfd7zXZ\0', '\x28\xb5\x2f\xfd', 'BZh'],
  },
  {
    name: 'AppleDouble',
    problem: 'is a companion file ("._…") that macOS writes beside the image; use the file without "._"',
    starts: ['\0\x05\x16\x07', '\0\x05\x16\0'],
  },
  {
    name: 'data file',
    problem: 'is a data file (HDF5, SQLite, pickle or Parquet), not an image; export its images as PNG or JPEG',
    starts: ['\x89HDF\r\n\x1a\n', 'SQLite format 3\0', '\x80\x02', '\x80\x03', '\x80\x04', '\x80\x05', 'PAR1'],
  },
  { name: 'NumPy array', problem: 'is a NumPy array; save it as PNG', starts: ['\x93NUMPY'] },
  {
    name: 'video',
    problem: 'is a video; use mdetr track, or extract its frames as PNG or JPEG',
    starts: ['RIFF????AVI ', '\x1aE\xdf\xa3'],
  },
  { name: 'RIFF file', problem: 'is a RIFF file, but not a WebP image', starts: ['RIFF'] },
];

/** Brands of ISO base media files (`ftyp`) that hold images. */
const HEIC_BRANDS = ['heic', 'heix', 'hevc', 'hevx', 'heim', 'heis', 'hevm', 'hevs'];
const AVIF_BRANDS = ['avif', 'avis'];

/**
 * Identifies a file by its first bytes. A format that can be decoded is recognized by its signature alone, so the decoder
 * is never given text: SVG and other documents would be rendered, at a cost that no pixel limit bounds.
 */
export const identifyFile = (bytes: Uint8Array): FileKind => {
  if (bytes.length === 0) return { name: 'empty file', problem: 'the file is empty' };
  const signature = SIGNATURES.find(({ starts }) => starts.some((start) => matches(bytes, start)));
  if (signature !== undefined) return kindOf(signature);
  const head = String.fromCharCode(...bytes.subarray(0, INSPECTED_BYTES));
  if (isBmp(bytes, head)) return { name: 'BMP', decoder: 'bmp' };
  if (head.slice(257, 262) === 'ustar')
    return { name: 'archive', problem: 'is an archive (tar), not an image; unpack it' };
  if (head.slice(4, 8) === 'ftyp') return baseMediaKind(bytes, head);
  if (head.slice(128, 132) === 'DICM') return unsupported('DICOM');
  if (/^P[1-7fF][\s#]/.test(head)) return unsupported('Netpbm (PBM, PGM, PPM)');
  if (bytes.every((byte) => byte === 0))
    return {
      name: 'zeros',
      problem: 'has only zero bytes: it was never written completely; copy or download it again',
    };
  return textKind(head) ?? unknownKind();
};

const kindOf = ({ name, decoder, problem }: Signature): FileKind => {
  if (decoder !== undefined) return { name, decoder };
  return problem === undefined ? unsupported(name) : { name, problem };
};

const unsupported = (name: string): FileKind => ({ name, problem: `${name} is not supported; ${CONVERT}` });

const unknownKind = (): FileKind => ({
  name: 'unknown',
  problem: `is not an image in a supported format (${READABLE_FORMATS})`,
});

/** Whether the first bytes are those of a signature. Runs for every image, so it makes no text of them. */
const matches = (bytes: Uint8Array, start: string): boolean => {
  if (bytes.length < start.length) return false;
  for (let i = 0; i < start.length; i++) if (start[i] !== '?' && start.charCodeAt(i) !== bytes[i]) return false;
  return true;
};

/** A text may begin with BM: the size of the header behind the 14 bytes of the file header decides. */
const isBmp = (bytes: Uint8Array, head: string): boolean =>
  head.startsWith('BM') &&
  (bytes.length < 18 ||
    [12, 16, 40, 52, 56, 64, 108, 124].includes(new DataView(bytes.buffer, bytes.byteOffset).getUint32(14, true)));

/** HEIF, AVIF, camera raw and videos begin with a box that lists brands: size, `ftyp`, major brand, version, others. */
const baseMediaKind = (bytes: Uint8Array, head: string): FileKind => {
  const size = Math.min(new DataView(bytes.buffer, bytes.byteOffset).getUint32(0), head.length);
  const brands = [head.slice(8, 12)];
  for (let at = 16; at + 4 <= size; at += 4) brands.push(head.slice(at, at + 4));
  if (brands.some((brand) => AVIF_BRANDS.includes(brand))) return { name: 'AVIF', decoder: 'libvips' };
  if (brands.some((brand) => HEIC_BRANDS.includes(brand))) return { name: 'HEIC', decoder: 'libheif' };
  // HEIF without a brand of its codec: the decoder knows whether it is AVIF.
  if (brands.some((brand) => ['mif1', 'msf1', 'miaf'].includes(brand))) return { name: 'HEIF', decoder: 'libvips' };
  if (brands[0] === 'crx ')
    return {
      name: 'camera raw (CR3)',
      problem: 'is a camera raw file (CR3), which is not supported; develop it and export PNG or JPEG',
    };
  return { name: 'video', problem: 'is a video; use mdetr track, or extract its frames as PNG or JPEG' };
};

/** Name of a text format found in place of an image; undefined for binary data. */
const textKind = (head: string): FileKind | undefined => {
  const isUtf16 = head.startsWith('\xff\xfe') || head.startsWith('\xfe\xff');
  const text = (isUtf16 ? head.slice(2).replaceAll('\0', '') : head.replace(/^\xef\xbb\xbf/, '')).trimStart();
  // Control characters tell binary data from text.
  if (/[\0-\x08\x0e-\x1a\x1c-\x1f]/.test(text)) return undefined;
  if (text === '') return { name: 'text', problem: 'holds only white space, not an image' };
  if (text.startsWith('version https://git-lfs'))
    return { name: 'Git LFS pointer', problem: 'is a Git LFS pointer, not the image itself: run "git lfs pull"' };
  if (/^(\.\.\/)*\.?\/?(\.git\/)?annex\/objects\//.test(text))
    return { name: 'git-annex pointer', problem: 'is a git-annex pointer, not the image itself: run "git annex get"' };
  if (/<svg[\s>]/i.test(text) && text.startsWith('<'))
    return { name: 'SVG', problem: `SVG is not supported; ${CONVERT}` };
  if (
    /^(<!--.*?-->\s*)*<(!doctype html|html|head|body|script|meta|title|div|p|h1)[\s>]/is.test(text) ||
    /<html[\s>]/i.test(text)
  )
    return { name: 'web page', problem: 'is a web page, not an image: the download failed; download the image again' };
  if (text.startsWith('<'))
    return { name: 'XML', problem: 'is an XML document, not an image (a download may have failed)' };
  if (text.startsWith('data:image/'))
    return {
      name: 'data URL',
      problem: 'is a text with a data URL; decode its base64 part and save that as the image',
    };
  if (/^(\/9j\/|iVBORw0KGgo|R0lGOD|UklGR)/.test(text))
    return { name: 'base64 text', problem: 'is an image encoded as base64 text; decode it first' };
  if (/^[{[]/.test(text)) return { name: 'JSON', problem: 'is JSON text, not an image (a download may have failed)' };
  return { name: 'text', problem: 'is a text file, not an image' };
};

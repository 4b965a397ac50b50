import { describe, expect, it } from 'vitest';
import { identifyFile } from './file-kind.ts';

const bytes = (text: string): Uint8Array => Uint8Array.from(text, (char) => char.charCodeAt(0));
/** The first box of an ISO base media file. */
const fileType = (...brands: readonly string[]): string =>
  `\0\0\0${String.fromCharCode(8 + 4 * (brands.length + 1))}ftyp${brands[0]!}\0\0\0\0${brands.slice(1).join('')}`;
const bmp = (headerBytes: number): string => `BM${'\0'.repeat(12)}${String.fromCharCode(headerBytes)}\0\0\0`;

describe('identifyFile', () => {
  it.each([
    ['JPEG', '\xff\xd8\xff\xe0', 'libvips'],
    ['PNG', '\x89PNG\r\n\x1a\n', 'libvips'],
    ['WebP', 'RIFF\x01\x02\x03\x04WEBP', 'libvips'],
    ['GIF', 'GIF89a', 'libvips'],
    ['TIFF', 'MM\0*', 'libvips'],
    ['AVIF', fileType('avif', 'mif1', 'miaf'), 'libvips'],
    ['AVIF', fileType('mif1', 'avif'), 'libvips'],
    ['HEIC', fileType('heic', 'mif1'), 'libheif'],
    ['HEIC', fileType('mif1', 'heic'), 'libheif'],
    ['BMP', bmp(40), 'bmp'],
    ['BMP', bmp(124), 'bmp'],
  ])('%s is decoded', (name, head, decoder) => {
    expect(identifyFile(bytes(head))).toEqual({ name, decoder });
  });

  it.each([
    ['JPEG 2000', '\0\0\0\x0cjP  \r\n\x87\n', /JPEG 2000 is not supported; convert it/],
    ['a JPEG 2000 codestream', '\xff\x4f\xff\x51', /JPEG 2000/],
    ['JPEG XL', '\xff\x0a', /JPEG XL/],
    ['a Photoshop document', '8BPS\0\x01', /PSD.*convert it/],
    ['a PDF', '%PDF-1.7\n%\xe2\xe3', /PDF document; export its page/],
    ['a camera raw file', 'II*\0\x10\0\0\0CR\x02\0', /camera raw/],
    ['a video', fileType('isom', 'mp42'), /video; use mdetr track, or extract its frames/],
    ['an archive', 'PK\x03\x04', /archive.*unpack it/],
    ['a compressed SVG', '\x1f\x8b\x08', /archive/],
    ['a companion file of macOS', '\0\x05\x16\x07', /companion file/],
    ['a DICOM file', `${'\0'.repeat(128)}DICM`, /DICOM/],
    ['a PPM', 'P6\n2 2 255\n', /Netpbm/],
    ['a TGA', '\0\0\x02\0\0\0\0\0\0\0\0\0\x3c\0', /TGA is not supported; convert it/],
    ['an icon', '\0\0\x01\0\x01\0', /icon \(ICO\)/],
    ['a PNG after a transfer as text', '\x89PNG\r\r\n\x1a', /line ends were converted.*binary mode/],
    ['a pickle', '\x80\x04\x95', /data file/],
    ['a database', 'SQLite format 3\0', /data file/],
    ['a tar archive', `a.png${'\0'.repeat(252)}ustar`, /archive \(tar\).*unpack it/],
    ['an empty file', '', /the file is empty/],
    ['a file of zeros', '\0'.repeat(5000), /only zero bytes/],
    ['a web page', '<!DOCTYPE html><html><body>404</body></html>', /web page/],
    ['a web page after a comment', '\n<!-- a -->\n<html lang="en">', /web page/],
    ['a web page in XHTML', '<?xml version="1.0"?>\n<html xmlns="http://www.w3.org/1999/xhtml">', /web page/],
    ['an SVG', '<svg xmlns="http://www.w3.org/2000/svg"/>', /SVG is not supported/],
    ['an SVG with a byte order mark', '\xef\xbb\xbf<?xml version="1.0"?>\n<!-- x -->\n<svg>', /SVG/],
    ['an SVG in UTF-16', '\xff\xfe<\0s\0v\0g\0>\0', /SVG/],
    ['an error message in XML', '<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>', /XML document/],
    ['a Git LFS pointer', 'version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n', /git lfs pull/],
    ['a git-annex pointer', '/annex/objects/SHA256E-s1--0.jpg\n', /git annex get/],
    ['JSON', '{"message": "not found"}', /JSON text/],
    ['a data URL', 'data:image/png;base64,iVBORw0KGgo=', /data URL/],
    ['base64', '/9j/4AAQSkZJRgABAQ', /base64/],
    ['text that begins with BM', 'BMW, Audi and others are cars.', /text file/],
    ['other binary data', '\x01\x02\x03\x04\x05\x06\x07\x08', /not an image in a supported format/],
  ])('%s is named', (_, head, problem) => {
    const kind = identifyFile(bytes(head));
    expect(kind.decoder).toBeUndefined();
    expect(kind.problem).toMatch(problem);
  });
});

import { MdetrError } from '../errors.ts';

/** Bytes that tell what a file is: `foreignContent` looks at no more. */
export const HEAD_BYTES = 64;

const MAGICS: readonly (readonly [bytes: string, content: string])[] = [
  ['\x1f\x8b', 'a gzip archive; unpack it first'],
  ['PK\x03\x04', 'a zip archive; unpack it first'],
  ['%PDF', 'a PDF document'],
  ['version https://git-lfs', 'a Git LFS pointer, not the file itself; fetch it with "git lfs pull"'],
];

/**
 * Describes content that is not UTF-8 text although a file of text was expected, with the way out; undefined for text.
 * @param head the first bytes of the file
 */
export const foreignContent = (head: Uint8Array): string | undefined => {
  const [a, b, c, d] = head;
  if ((a === 0xff && b === 0xfe && c === 0 && d === 0) || (a === 0 && b === 0 && c === 0xfe && d === 0xff))
    return 'UTF-32 text; save it as UTF-8';
  const hasMark = (a === 0xff && b === 0xfe) || (a === 0xfe && b === 0xff);
  // Without a byte order mark: every second byte of ASCII characters is 0.
  const hasZeros = head.length >= 4 && ((a !== 0 && b === 0 && d === 0) || (a === 0 && b !== 0 && c === 0));
  if (hasMark || hasZeros) return 'UTF-16 text; save it as UTF-8';
  const start = String.fromCharCode(...head.subarray(0, HEAD_BYTES));
  const known = MAGICS.find(([magic]) => start.startsWith(magic));
  if (known !== undefined) return known[1];
  if (/^(?:\xef\xbb\xbf)?\s*<(?:!doctype html|html|head|body)/i.test(start))
    return 'a web page; the download may have failed';
  return undefined;
};

/** The kind of UTF-16 that a byte order mark tells; undefined without one. */
export const utf16Of = ([a, b, c, d]: Uint8Array): 'utf-16le' | 'utf-16be' | undefined => {
  if (a === 0xff && b === 0xfe && !(c === 0 && d === 0)) return 'utf-16le';
  return a === 0xfe && b === 0xff ? 'utf-16be' : undefined;
};

/** Encodings of XML files besides UTF-8, by the names that their declarations use. */
const DECLARED =
  /^(?:iso-8859-\d+|latin-?1|windows-125\d|cp125\d|us-ascii|shift_jis|euc-(?:jp|kr)|gbk?|gb2312|gb18030|big5|koi8-r)$/i;

/**
 * Decodes the bytes of a text that another program wrote: UTF-8, or the encoding that an XML declaration names.
 * @param name name of the file in messages
 * @throws {MdetrError} naming the encoding or content of bytes that are none of these
 */
export const decodeForeignText = (bytes: Uint8Array, name: string): string => {
  const start = String.fromCharCode(...bytes.subarray(0, 2 * HEAD_BYTES));
  const declared = /^<\?xml[^>]*\sencoding=["']([\w.-]+)["']/.exec(start)?.[1];
  if (declared === undefined || !DECLARED.test(declared)) return decodeText(bytes, name);
  try {
    return new TextDecoder(declared.replace(/^cp/i, 'windows-'), { fatal: true }).decode(bytes);
  } catch (error) {
    throw new MdetrError(`${name}: is not ${declared} text, against its declaration`, { cause: error });
  }
};

/**
 * Decodes the bytes of a text file as UTF-8, without its byte order mark.
 * @param name name of the file in messages
 * @throws {MdetrError} naming the encoding or content of bytes that are not UTF-8
 */
export const decodeText = (bytes: Uint8Array, name: string): string => {
  const foreign = foreignContent(bytes.subarray(0, HEAD_BYTES));
  if (foreign !== undefined) throw new MdetrError(`${name}: is ${foreign}`);
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (error) {
    throw new MdetrError(`${name}: is not UTF-8 text; save it as UTF-8`, { cause: error });
  }
};

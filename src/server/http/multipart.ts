import { isUtf8 } from 'node:buffer';
import { MaxPartsExceededError, parseMultipart } from '@remix-run/multipart-parser';
import { Problem } from '../problems.ts';

/** Maximum number of parts of a multipart body. */
const MAX_PARTS = 200;

/** A field of a form. */
export interface FormField {
  readonly name: string;
  /** A text, or the bytes of a file: a view of the body, which is not copied. */
  readonly value: string | Uint8Array;
  readonly fileName: string | undefined;
}

/**
 * Parses a multipart body. `Request.formData` would copy the body four times, into memory that is only freed by full garbage
 * collections.
 *
 * @param fileField field that is a file even without a file name, as simple clients send it, unless it is a text
 * @throws {Problem} if it has too many parts or is malformed
 */
export const parseForm = (bytes: Uint8Array, contentType: string, fileField: string): FormField[] => {
  const [, quoted, plain] = /;\s*boundary=(?:"([^"]{1,200})"|([^;\s"]{1,200}))/i.exec(contentType) ?? [];
  const boundary = quoted ?? plain;
  if (boundary === undefined)
    throw new Problem('malformed-body', 'the Content-Type of a multipart body needs a boundary');
  const limits = { maxParts: MAX_PARTS, maxFileSize: Infinity, maxTotalSize: Infinity };
  try {
    return Array.from(parseMultipart(withoutPreamble(bytes, boundary), { boundary, ...limits }), (part) => {
      const { name, filename, content, isFile } = part;
      if (name === undefined) throw new Problem('malformed-body', 'a part of the multipart body has no name');
      // As browsers write them: quotes and line breaks in names are escaped, and nothing else.
      const fileName = filename?.replace(/%(?:22|0[AD])/gi, decodeURIComponent);
      const isBinary = isFile || (name === fileField && !content.every((chunk) => isUtf8(chunk)));
      return { name, value: isBinary ? joined(content) : part.text, fileName };
    });
  } catch (error) {
    if (error instanceof Problem) throw error;
    const detail =
      error instanceof MaxPartsExceededError
        ? `the body has more than ${MAX_PARTS} parts`
        : 'the multipart body is damaged or incomplete';
    throw new Problem('malformed-body', detail, { cause: error });
  }
};

/** The body from its first boundary on: what comes before is for readers that do not know multipart (RFC 2046, 5.1.1). */
const withoutPreamble = (bytes: Uint8Array, boundary: string): Uint8Array => {
  const body = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const delimiter = `--${boundary}`;
  if (body.toString('latin1', 0, delimiter.length) === delimiter) return bytes;
  const start = body.indexOf(`\r\n${delimiter}\r\n`);
  return start < 0 ? bytes : bytes.subarray(start + 2);
};

const joined = (chunks: readonly Uint8Array[]): Uint8Array =>
  chunks.length === 1 ? chunks[0]! : new Uint8Array(Buffer.concat(chunks));

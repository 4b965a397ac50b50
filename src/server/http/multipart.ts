import { Problem } from '../problems.ts';

/** Maximum number of parts of a multipart body. */
const MAX_PARTS = 200;

/**
 * Parses a multipart body. Its parts are counted before they are parsed, so that a body of a million parts costs a scan.
 *
 * @throws {Problem} if it has too many parts or is malformed
 */
export const parseMultipart = async (bytes: Uint8Array<ArrayBuffer>, contentType: string): Promise<FormData> => {
  const [, quoted, plain] = /;\s*boundary=(?:"([^"]{1,200})"|([^;\s"]{1,200}))/i.exec(contentType) ?? [];
  const boundary = quoted ?? plain;
  if (boundary === undefined)
    throw new Problem('malformed-body', 'the Content-Type of a multipart body needs a boundary');
  const body = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let parts = 0;
  for (let at = body.indexOf(`--${boundary}`); at >= 0; at = body.indexOf(`--${boundary}`, at + boundary.length + 2))
    if (++parts > MAX_PARTS + 1) throw new Problem('malformed-body', `the body has more than ${MAX_PARTS} parts`);
  try {
    return await new Response(bytes, { headers: { 'content-type': contentType } }).formData();
  } catch (error) {
    throw new Problem('malformed-body', 'the multipart body is damaged or incomplete', { cause: error });
  }
};

import { z } from 'zod';
import type { DigestAlgorithm } from '../files/file-digest.ts';
import type { Reply } from './http.ts';

/**
 * What a file's bytes must add up to. `git` is SHA-1 over git's own header and the bytes. `hex` may be the beginning
 * alone: backbones carry the first eight digits in their names.
 */
export interface Digest {
  readonly algorithm: DigestAlgorithm;
  readonly hex: string;
}

/** What is known of a file before it comes. */
export interface KnownFile {
  readonly bytes?: number;
  readonly digest?: Digest;
}

const byLength: Readonly<Record<number, DigestAlgorithm>> = { 32: 'md5', 40: 'sha1', 64: 'sha256' };

const listLine = /^\\?([0-9a-fA-F]{32,64}) [ *](.+?)\r?$/;

/** Sums of a list as `sha256sum`, `sha1sum` and `md5sum` write it, by file name. Lines of another form say nothing. */
export const parseSumList = (text: string): ReadonlyMap<string, KnownFile> => {
  const known = new Map<string, KnownFile>();
  for (const line of text.split('\n')) {
    const [, hex, name] = listLine.exec(line) ?? [];
    const algorithm = byLength[hex?.length ?? 0];
    if (hex === undefined || name === undefined || algorithm === undefined) continue;
    known.set(name.replace(/^\.\//, ''), { digest: { algorithm, hex: hex.toLowerCase() } });
  }
  return known;
};

const entrySchema = z.object({
  key: z.string(),
  size: z.number().int().positive(),
  checksum: z.string().regex(/^md5:[0-9a-f]{32}$/),
});

/**
 * Sizes and sums of a Zenodo record's files, by name. The record's JSON has come in two forms: `files` as a list, and as
 * an object whose `entries` are keyed by name. A file whose entry is not understood has no known sum.
 */
export const parseZenodoRecord = (text: string): ReadonlyMap<string, KnownFile> => {
  let record: unknown;
  try {
    record = JSON.parse(text);
  } catch {
    return new Map();
  }
  const files = fieldOf(record, 'files');
  const entries: unknown = Array.isArray(files) ? files : (fieldOf(files, 'entries') ?? fieldOf(record, 'entries'));
  const known = new Map<string, KnownFile>();
  const list: readonly unknown[] =
    typeof entries === 'object' && entries !== null ? (Object.values(entries) as unknown[]) : [];
  for (const entry of list) {
    const parsed = entrySchema.safeParse(entry);
    if (!parsed.success) continue;
    const { key, size, checksum } = parsed.data;
    known.set(key, { bytes: size, digest: { algorithm: 'md5', hex: checksum.slice('md5:'.length) } });
  }
  return known;
};

const fieldOf = (value: unknown, name: string): unknown =>
  typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[name] : undefined;

/**
 * What the hub says of a file, on the way to it: `X-Linked-Etag` is the SHA-256 of a large file, `ETag` git's digest of a
 * small one. Other hosts' ETags mean nothing but "the same as before".
 */
export const digestOfHubReply = ({ header, redirects }: Pick<Reply, 'header' | 'redirects'>): Digest | undefined => {
  for (const own of [...redirects, header]) {
    // A hop that leads to another file's store names the file itself only in the linked tag.
    const tag = own('x-linked-etag') ?? (own('x-repo-commit') === undefined ? undefined : own('etag'));
    const hex = /^(?:W\/)?"?([0-9a-f]{40}|[0-9a-f]{64})"?$/.exec(tag ?? '')?.[1];
    if (hex !== undefined) return { algorithm: hex.length === 64 ? 'sha256' : 'git', hex };
  }
  return undefined;
};

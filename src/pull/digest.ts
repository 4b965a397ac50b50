import * as z from 'zod';
import type { DigestAlgorithm } from '../files/file-digest.ts';
import type { Reply } from '../fetching/http.ts';

/** Expected digest of a file. `hex` may be a prefix: file names of backbones contain the first eight digits. */
export interface Digest {
  readonly algorithm: DigestAlgorithm;
  readonly hex: string;
}

/** Properties of a file that are known before it is downloaded. */
export interface KnownFile {
  readonly bytes?: number | undefined;
  readonly digest?: Digest | undefined;
}

const ALGORITHM_BY_LENGTH: Readonly<Record<number, DigestAlgorithm>> = { 32: 'md5', 40: 'sha1', 64: 'sha256' };

const LIST_LINE = /^\\?([0-9a-fA-F]{32,64}) [ *](.+?)\r?$/;

/** Parses a checksum list of `sha256sum`, `sha1sum` or `md5sum`, by file name. Other lines are ignored. */
export const parseSumList = (text: string): ReadonlyMap<string, KnownFile> => {
  const known = new Map<string, KnownFile>();
  for (const line of text.split('\n')) {
    const [, hex, name] = LIST_LINE.exec(line) ?? [];
    const algorithm = ALGORITHM_BY_LENGTH[hex?.length ?? 0];
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
 * Parses sizes and checksums of the files of a Zenodo record, by name. Records have two forms: `files` is a list, or an
 * object whose `entries` are keyed by name. Entries in an unknown form are ignored.
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
 * Digest of a file according to the Hugging Face hub's response headers: `X-Linked-Etag` is the SHA-256 of a large file,
 * `ETag` the git digest of a small one. ETags of other hosts are not digests.
 */
export const digestOfHubReply = ({ header, redirects }: Pick<Reply, 'header' | 'redirects'>): Digest | undefined => {
  for (const own of [...redirects, header]) {
    // A redirect to the file store has the digest of the file only in the linked tag.
    const tag = own('x-linked-etag') ?? (own('x-repo-commit') === undefined ? undefined : own('etag'));
    const hex = /^(?:W\/)?"?([0-9a-f]{40}|[0-9a-f]{64})"?$/.exec(tag ?? '')?.[1];
    if (hex !== undefined) return { algorithm: hex.length === 64 ? 'sha256' : 'git', hex };
  }
  return undefined;
};

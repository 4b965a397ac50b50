import { statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { MdetrError } from '../errors.ts';
import { digestOfFile } from '../files/file-digest.ts';
import type { Digest, KnownFile } from './digest.ts';
import { ConnectionLost, connectionLost, get, usualTimeLimits, type Reply, type TimeLimits } from './http.ts';
import { PartFile } from './part-file.ts';

/** A file somewhere else, and what is known of it. */
export interface RemoteFile extends KnownFile {
  readonly url: string;
  /** For its first host. */
  readonly secret?: string | undefined;
  /** Larger than anything of its kind; what goes beyond is refused. */
  readonly largestBytes: number;
  /** What the answer itself tells of the file. */
  readonly digestOf?: (reply: Reply) => Digest | undefined;
}

export interface DownloadProgress {
  readonly stage: 'fetching' | 'checking' | 'waiting';
  readonly bytes: number;
  readonly totalBytes: number | undefined;
  /** Why it waits. */
  readonly reason?: string;
}

export interface DownloadOptions {
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: DownloadProgress) => void) | undefined;
  /** Tries in a row that bring nothing before it gives up. */
  readonly attempts?: number;
  /** The first wait between tries; each further one is twice as long, half a minute at most. */
  readonly firstWaitMs?: number;
  readonly limits?: TimeLimits;
  /** How much room a folder has. */
  readonly freeBytes?: (folder: string) => Promise<number>;
}

export interface Downloaded {
  readonly bytes: number;
  /** What the file was checked against; undefined where nobody says what it must be. */
  readonly checked: Digest | undefined;
}

/** So much must come for a try to count as one that brought something. */
const worthwhileBytes = 2 ** 16;
const longestWaitMs = 30_000;

/**
 * Fetches a file, going on from what an earlier try left, until it is whole and its digest right; only then `target`
 * appears. What was fetched is kept when it fails, as far as it can be of use.
 *
 * @throws {MdetrError} that says what is wrong and the way out
 */
export const download = async (
  file: RemoteFile,
  target: string,
  options: DownloadOptions = {},
): Promise<Downloaded> => {
  const part = await PartFile.open(target);
  let isFinished = false;
  try {
    const task = new Download(file, part, options);
    const checked = await task.run();
    await part.finish();
    isFinished = true;
    return { bytes: part.bytes, checked };
  } finally {
    if (!isFinished) await part.leave();
  }
};

class Download {
  /** Bytes of this file come from more than one answer. */
  private isPatched = false;
  private totalBytes: number | undefined;
  private digest: Digest | undefined;
  private readonly limits: TimeLimits;

  constructor(
    private readonly file: RemoteFile,
    private readonly part: PartFile,
    private readonly options: DownloadOptions,
  ) {
    this.digest = file.digest;
    this.limits = options.limits ?? usualTimeLimits;
  }

  async run(): Promise<Digest | undefined> {
    for (;;) {
      await this.fetchAll();
      if (await this.isRight()) return this.digest;
      const { algorithm, hex } = this.digest!;
      const wasPatched = this.isPatched;
      await this.part.restart(undefined);
      // Pieces of two files may have met; a file out of one piece is what they send.
      if (!wasPatched)
        throw new MdetrError(
          `${this.file.url}: wrong bytes came: their ${algorithm === 'git' ? 'git digest' : algorithm.toUpperCase()} is not ${hex}; nothing was kept`,
        );
      this.isPatched = false;
    }
  }

  private async fetchAll(): Promise<void> {
    const { attempts = 6, firstWaitMs = 1000, signal } = this.options;
    let failures = 0;
    for (;;) {
      const before = this.part.bytes;
      try {
        await this.fetchRest();
        return;
      } catch (error) {
        if (!(error instanceof ConnectionLost)) throw error;
        await this.part.sync();
        failures = this.part.bytes - before >= worthwhileBytes ? 1 : failures + 1;
        if (failures >= attempts) throw this.gaveUp(error, failures);
        const waitMs = error.retryAfterMs ?? Math.min(firstWaitMs * 2 ** (failures - 1), longestWaitMs);
        this.tell('waiting', error.message);
        await sleep(waitMs, undefined, { signal }).catch(() => signal?.throwIfAborted());
      }
    }
  }

  private gaveUp(error: ConnectionLost, failures: number): MdetrError {
    const kept = this.part.bytes > 0 ? `; ${this.part.bytes} bytes are kept, the same command goes on from there` : '';
    return new MdetrError(`${this.file.url}: ${error.message}, ${failures} tries in a row${kept}`, { cause: error });
  }

  /** One try: asks for what is missing, and takes it. */
  private async fetchRest(): Promise<void> {
    const { file, part } = this;
    const { signal } = this.options;
    const from = await this.usableBytes();
    const validator = part.state?.url === file.url ? part.state.validator : undefined;
    const reply = await get(file.url, {
      headers:
        from === 0 ? {} : { range: `bytes=${from}-`, ...(validator === undefined ? {} : { 'if-range': validator }) },
      secret: file.secret,
      limits: this.limits,
      signal,
    });
    try {
      if (!(await this.accept(reply, from))) return;
      await this.take(reply);
    } finally {
      reply.body.destroy();
    }
  }

  /** How far what is there can be trusted to be the beginning of the same file. */
  private async usableBytes(): Promise<number> {
    const { part, file, digest } = this;
    if (part.bytes === 0) return 0;
    const { state } = part;
    const isSame = state?.url === file.url && state.validator !== undefined;
    const isFull = file.bytes !== undefined && part.bytes > file.bytes;
    // Where the digest is known, the end will tell whether the pieces belong together.
    if ((isSame || digest !== undefined) && !isFull) return part.bytes;
    await part.restart(undefined);
    return 0;
  }

  /** Reads an answer's head. False where nothing is missing any more. */
  private async accept(reply: Reply, from: number): Promise<boolean> {
    const { part, file } = this;
    this.digest ??= file.digestOf?.(reply);
    const encoding = reply.header('content-encoding') ?? 'identity';
    if (reply.status === 416 && from > 0) {
      const total = /^bytes \*\/(\d+)$/.exec(reply.header('content-range') ?? '')?.[1];
      this.isPatched = true;
      if (Number(total) === from) return this.isWhole(from);
      await part.restart(undefined);
      throw new ConnectionLost('what was there is no part of the file that is there now');
    }
    if (reply.status !== 200 && reply.status !== 206) throw this.refused(reply);
    if (encoding !== 'identity') throw new MdetrError(`${file.url}: comes packed (${encoding}) though it must not`);
    if (reply.status === 206) {
      const [, first, total] = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(reply.header('content-range') ?? '') ?? [];
      const validator = validatorOf(reply);
      const isOther =
        validator !== undefined && part.state?.validator !== undefined && part.state.validator !== validator;
      if (from === 0 || Number(first) !== from || (isOther && part.state.url === file.url)) {
        await part.restart(undefined);
        throw new ConnectionLost('another piece came than the one that was asked for');
      }
      this.isPatched = true;
      this.totalBytes = total === undefined || total === '*' ? part.state?.totalBytes : Number(total);
    } else {
      this.isPatched = false;
      this.totalBytes = lengthOf(reply);
      const { totalBytes } = this;
      await part.restart({
        url: file.url,
        ...(validatorOf(reply) === undefined ? {} : { validator: validatorOf(reply) }),
        ...(totalBytes === undefined ? {} : { totalBytes }),
      });
    }
    await this.checkSize(reply);
    return true;
  }

  private isWhole(bytes: number): boolean {
    if (this.file.bytes !== undefined && this.file.bytes !== bytes)
      throw new MdetrError(`${this.file.url}: has ${bytes} bytes, should have ${this.file.bytes}`);
    this.totalBytes = bytes;
    return false;
  }

  private async checkSize(reply: Reply): Promise<void> {
    const { file, part, totalBytes, digest } = this;
    if (totalBytes === undefined) {
      if (digest === undefined && file.bytes === undefined && reply.header('transfer-encoding') === undefined)
        throw new MdetrError(`${file.url}: the server does not say how long the file is, so its end cannot be told`);
      return;
    }
    if (file.bytes !== undefined && totalBytes !== file.bytes)
      throw new MdetrError(`${file.url}: the server says ${totalBytes} bytes, but the file has ${file.bytes}`);
    if (totalBytes > file.largestBytes)
      throw new MdetrError(`${file.url}: has ${totalBytes} bytes, too many for what it should be`);
    const free = await (this.options.freeBytes ?? roomIn)(dirname(part.target));
    if (free < totalBytes - part.bytes)
      throw new MdetrError(
        `${part.target}: needs ${totalBytes - part.bytes} more bytes, the disk has room for ${free}; free some, or let MDETR_CACHE name a folder elsewhere`,
      );
  }

  private async take(reply: Reply): Promise<void> {
    const { file, part, totalBytes } = this;
    const { signal } = this.options;
    const most = totalBytes ?? file.bytes ?? file.largestBytes;
    this.tell('fetching');
    try {
      for await (const chunk of reply.body as AsyncIterable<Uint8Array>) {
        signal?.throwIfAborted();
        if (part.bytes + chunk.byteLength > most) throw new TooMuch();
        await part.write(chunk);
        this.tell('fetching');
      }
    } catch (error) {
      signal?.throwIfAborted();
      if (error instanceof TooMuch) {
        await part.restart(undefined);
        throw new MdetrError(`${file.url}: goes on beyond its ${most} bytes; nothing was kept`, { cause: error });
      }
      if (error instanceof MdetrError) throw error;
      throw connectionLost(reply.url, error);
    }
    const expected = totalBytes ?? file.bytes;
    if (expected !== undefined && part.bytes < expected)
      throw new ConnectionLost(`${reply.url.host}: ended after ${part.bytes} of ${expected} bytes`);
    this.totalBytes = part.bytes;
  }

  private async isRight(): Promise<boolean> {
    if (this.digest === undefined) return true;
    this.tell('checking');
    await this.part.sync();
    const { algorithm, hex } = this.digest;
    return (await digestOfFile(this.part.path, algorithm, this.options.signal)).startsWith(hex);
  }

  private refused(reply: Reply): Error {
    const { status, url } = reply;
    const isPassing = status === 408 || status === 425 || status === 429 || status >= 500;
    if (isPassing)
      return new ConnectionLost(`${url.host}: answers with status ${status}`, { retryAfterMs: pauseOf(reply) });
    const meaning: Readonly<Record<number, string>> = {
      401: 'wants to know who asks',
      403: 'does not let us have it',
      404: 'has no such file',
      410: 'has that file no longer',
    };
    return new MdetrError(`${this.file.url}: ${url.host} ${meaning[status] ?? 'refuses'} (status ${status})`);
  }

  private tell(stage: DownloadProgress['stage'], reason?: string): void {
    const { bytes } = this.part;
    const totalBytes = this.totalBytes ?? this.file.bytes;
    this.options.onProgress?.({ stage, bytes, totalBytes, ...(reason === undefined ? {} : { reason }) });
  }
}

class TooMuch extends Error {}

/** What tells this version of the file from others. A weak ETag does not promise equal bytes. */
const validatorOf = ({ header }: Reply): string | undefined => {
  const tag = header('etag');
  return tag !== undefined && /^"[^"]*"$/.test(tag) ? tag : header('last-modified');
};

/** How long the server wants to be left alone, five minutes at most. */
const pauseOf = ({ header }: Reply): number | undefined => {
  const text = header('retry-after') ?? '';
  const waitMs = /^\d{1,6}$/.test(text) ? Number(text) * 1000 : Date.parse(text) - Date.now();
  return Number.isNaN(waitMs) ? undefined : Math.min(Math.max(waitMs, 0), 300_000);
};

const lengthOf = ({ header }: Reply): number | undefined => {
  const text = header('content-length');
  return text === undefined || !/^\d{1,15}$/.test(text) ? undefined : Number(text);
};

const roomIn = async (folder: string): Promise<number> => {
  const { bavail, bsize } = await statfs(folder);
  return bavail * bsize;
};

import { statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { MdetrError } from '../errors.ts';
import { digestOfFile } from '../files/file-digest.ts';
import type { Digest, KnownFile } from './digest.ts';
import {
  ConnectionLost,
  connectionLost,
  get,
  DEFAULT_TIME_LIMITS,
  type Reply,
  type TimeLimits,
} from '../fetching/http.ts';
import { PartFile } from './part-file.ts';
import { lengthOf, retryAfterMsOf, validatorOf } from './reply-headers.ts';

/** A file to download, and its known properties. */
export interface RemoteFile extends KnownFile {
  readonly url: string;
  /** Bearer token, sent to the host of `url` only. */
  readonly secret?: string | undefined;
  /** Maximum size. Larger responses are rejected. */
  readonly maxBytes: number;
  /** Reads the digest from the response headers, if they have one. */
  readonly digestOf?: (reply: Reply) => Digest | undefined;
}

export interface DownloadProgress {
  readonly stage: 'fetching' | 'checking' | 'waiting';
  readonly bytes: number;
  readonly totalBytes: number | undefined;
  /** Reason for waiting. */
  readonly reason?: string | undefined;
}

export interface DownloadOptions {
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: DownloadProgress) => void) | undefined;
  /** Number of consecutive attempts without progress before the download fails. Default: 6. */
  readonly attempts?: number;
  /** Wait after the first failure; doubled for each further one, up to half a minute. Default: 1000. */
  readonly firstWaitMs?: number;
  readonly limits?: TimeLimits;
  /** Returns the free space of a folder's file system, in bytes. */
  readonly freeBytes?: (folder: string) => Promise<number>;
}

export interface Downloaded {
  readonly bytes: number;
  /** Digest that the file was checked against; undefined if none is known. */
  readonly checked: Digest | undefined;
}

/** Bytes that an attempt must receive to count as progress. */
const MIN_PROGRESS_BYTES = 2 ** 16;
const MAX_WAIT_MS = 30_000;

const STATUS_MEANINGS: Readonly<Record<number, string>> = {
  401: 'requires authentication',
  403: 'denies access',
  404: 'does not have this file',
  410: 'no longer has this file',
};

/**
 * Downloads a file and resumes an earlier download of it. `target` is created only when the file is complete and its
 * digest is correct. When the download fails, the received bytes are kept if they can be resumed.
 * @throws {MdetrError} if the server, the file or the disk does not allow the download
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
  /** True if the file consists of bytes of several responses. */
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
    this.limits = options.limits ?? DEFAULT_TIME_LIMITS;
  }

  async run(): Promise<Digest | undefined> {
    for (;;) {
      await this.fetchAll();
      if (await this.hasExpectedDigest()) return this.digest;
      const { algorithm, hex } = this.digest!;
      const wasPatched = this.isPatched;
      await this.part.restart(undefined);
      // A file from several responses may mix two versions; a file from one response is what the server has.
      if (!wasPatched)
        throw new MdetrError(
          `${this.file.url}: wrong contents: their ${algorithm === 'git' ? 'git digest' : algorithm.toUpperCase()} is not ${hex}; nothing was kept`,
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
        failures = this.part.bytes - before >= MIN_PROGRESS_BYTES ? 1 : failures + 1;
        if (failures >= attempts) throw this.gaveUp(error, failures);
        const waitMs = error.retryAfterMs ?? Math.min(firstWaitMs * 2 ** (failures - 1), MAX_WAIT_MS);
        this.report('waiting', error.message);
        await sleep(waitMs, undefined, { signal }).catch(() => signal?.throwIfAborted());
      }
    }
  }

  private gaveUp(error: ConnectionLost, failures: number): MdetrError {
    const kept = this.part.bytes > 0 ? `; ${this.part.bytes} bytes are kept, run the same command again to resume` : '';
    return new MdetrError(`${this.file.url}: ${error.message}, ${failures} attempts in a row${kept}`, { cause: error });
  }

  /** Makes one attempt to request and receive the missing bytes. */
  private async fetchRest(): Promise<void> {
    const { file, part } = this;
    const { signal } = this.options;
    const from = await this.usableBytes();
    const validator = part.state?.url === file.url ? part.state.validator : undefined;
    const reply = await get(file.url, {
      headers: from === 0 ? undefined : { range: `bytes=${from}-`, 'if-range': validator },
      secret: file.secret,
      limits: this.limits,
      reach: 'as-first',
      signal,
    });
    try {
      if (!(await this.accept(reply, from))) return;
      await this.receive(reply);
    } finally {
      reply.body.destroy();
    }
  }

  /** Number of received bytes that can be resumed from; drops them if they may belong to another version. */
  private async usableBytes(): Promise<number> {
    const { part, file, digest } = this;
    if (part.bytes === 0) return 0;
    const { state } = part;
    const isSame = state?.url === file.url && state.validator !== undefined;
    const isFull = file.bytes !== undefined && part.bytes > file.bytes;
    // With a known digest, the final check finds out whether the parts belong together.
    if ((isSame || digest !== undefined) && !isFull) return part.bytes;
    await part.restart(undefined);
    return 0;
  }

  /** Checks the head of a response. Returns false if no bytes are missing. */
  private async accept(reply: Reply, from: number): Promise<boolean> {
    const { part, file } = this;
    this.digest ??= file.digestOf?.(reply);
    const encoding = reply.header('content-encoding') ?? 'identity';
    if (reply.status === 416 && from > 0) {
      const total = /^bytes \*\/(\d+)$/.exec(reply.header('content-range') ?? '')?.[1];
      this.isPatched = true;
      if (Number(total) === from) return this.acceptComplete(from);
      await part.restart(undefined);
      throw new ConnectionLost('the received bytes are not a part of the file on the server');
    }
    if (reply.status !== 200 && reply.status !== 206) throw this.refused(reply);
    if (encoding !== 'identity')
      throw new MdetrError(`${file.url}: is sent with content encoding ${encoding}, which was not requested`);
    if (reply.status === 206) {
      const [, first, total] = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(reply.header('content-range') ?? '') ?? [];
      const validator = validatorOf(reply);
      const isOther =
        validator !== undefined && part.state?.validator !== undefined && part.state.validator !== validator;
      if (from === 0 || Number(first) !== from || (isOther && part.state.url === file.url)) {
        await part.restart(undefined);
        throw new ConnectionLost('the server sent another range than the requested one');
      }
      this.isPatched = true;
      this.totalBytes = total === undefined || total === '*' ? part.state?.totalBytes : Number(total);
    } else {
      this.isPatched = false;
      this.totalBytes = lengthOf(reply);
      const { totalBytes } = this;
      await part.restart({ url: file.url, validator: validatorOf(reply), totalBytes });
    }
    await this.checkSize(reply);
    return true;
  }

  private acceptComplete(bytes: number): boolean {
    if (this.file.bytes !== undefined && this.file.bytes !== bytes)
      throw new MdetrError(`${this.file.url}: has ${bytes} bytes, should have ${this.file.bytes}`);
    this.totalBytes = bytes;
    return false;
  }

  private async checkSize(reply: Reply): Promise<void> {
    const { file, part, totalBytes, digest } = this;
    if (totalBytes === undefined) {
      if (digest === undefined && file.bytes === undefined && reply.header('transfer-encoding') === undefined)
        throw new MdetrError(
          `${file.url}: the server does not send the length of the file, so a complete download cannot be recognized`,
        );
      return;
    }
    if (file.bytes !== undefined && totalBytes !== file.bytes)
      throw new MdetrError(`${file.url}: the server announces ${totalBytes} bytes, but the file has ${file.bytes}`);
    if (totalBytes > file.maxBytes)
      throw new MdetrError(`${file.url}: has ${totalBytes} bytes, more than the limit of ${file.maxBytes}`);
    const free = await (this.options.freeBytes ?? freeBytesOf)(dirname(part.target));
    if (free < totalBytes - part.bytes)
      throw new MdetrError(
        `${part.target}: needs ${totalBytes - part.bytes} more bytes, the disk has ${free} free; free some space, or set MDETR_CACHE to a folder on another disk`,
      );
  }

  private async receive(reply: Reply): Promise<void> {
    const { file, part, totalBytes } = this;
    const { signal } = this.options;
    const limit = totalBytes ?? file.bytes ?? file.maxBytes;
    this.report('fetching');
    try {
      for await (const chunk of reply.body as AsyncIterable<Uint8Array>) {
        signal?.throwIfAborted();
        if (part.bytes + chunk.byteLength > limit) throw new BodyTooLong();
        await part.write(chunk);
        this.report('fetching');
      }
    } catch (error) {
      signal?.throwIfAborted();
      if (error instanceof BodyTooLong) {
        await part.restart(undefined);
        throw new MdetrError(`${file.url}: is longer than its ${limit} bytes; nothing was kept`, { cause: error });
      }
      if (error instanceof MdetrError) throw error;
      throw connectionLost(reply.url, error);
    }
    const expected = totalBytes ?? file.bytes;
    if (expected !== undefined && part.bytes < expected)
      throw new ConnectionLost(`${reply.url.host}: ended after ${part.bytes} of ${expected} bytes`);
    this.totalBytes = part.bytes;
  }

  private async hasExpectedDigest(): Promise<boolean> {
    if (this.digest === undefined) return true;
    this.report('checking');
    await this.part.sync();
    const { algorithm, hex } = this.digest;
    return (await digestOfFile(this.part.path, algorithm, this.options.signal)).startsWith(hex);
  }

  private refused(reply: Reply): Error {
    const { status, url } = reply;
    const isPassing = status === 408 || status === 425 || status === 429 || status >= 500;
    if (isPassing)
      return new ConnectionLost(`${url.host}: responded with status ${status}`, {
        retryAfterMs: retryAfterMsOf(reply),
      });
    return new MdetrError(`${this.file.url}: ${url.host} ${STATUS_MEANINGS[status] ?? 'refuses'} (status ${status})`);
  }

  private report(stage: DownloadProgress['stage'], reason?: string): void {
    const { bytes } = this.part;
    const totalBytes = this.totalBytes ?? this.file.bytes;
    this.options.onProgress?.({ stage, bytes, totalBytes, reason });
  }
}

class BodyTooLong extends Error {}

const freeBytesOf = async (folder: string): Promise<number> => {
  const { bavail, bsize } = await statfs(folder);
  return bavail * bsize;
};

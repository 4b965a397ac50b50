import { joinChunks } from '../../data/images/stream-bytes.ts';
import { Problem } from '../problems.ts';

/** Limits of reading bodies. */
export interface BodyLimits {
  readonly maxBodyBytes: number;
  readonly bodyTimeoutS: number;
}

/** Counter of the bytes of all bodies in memory, which have a common limit. */
export class BodyBudget {
  private used = 0;

  constructor(private readonly maxBytes: number) {}

  /** Adds bytes. @throws {Problem} above the limit */
  take(bytes: number): void {
    if (this.used + bytes > this.maxBytes)
      throw new Problem('overloaded', 'too many bodies are in memory; try again later', {
        headers: { 'retry-after': '1' },
      });
    this.used += bytes;
  }

  give(bytes: number): void {
    this.used -= bytes;
  }
}

/** A body that was not read yet, in chunks. */
export type BodyChunks = AsyncIterable<Uint8Array>;

/** A body, whose bytes count until it is released. */
export interface Body {
  readonly bytes: Uint8Array<ArrayBuffer>;
  release(): void;
}

/**
 * Reads the body of a request.
 *
 * @param chunks undefined for a request without a body
 * @throws {Problem} if it is compressed, too large by its header or its bytes, arrives too slowly, or breaks off
 */
export const readBody = async (
  { headers }: Request,
  chunks: BodyChunks | undefined,
  limits: BodyLimits,
  budget: BodyBudget,
): Promise<Body> => {
  const tooLarge = (): Problem =>
    new Problem('body-too-large', `the body may have ${limits.maxBodyBytes} bytes`, {
      headers: { connection: 'close' },
    });
  if (!/^(?:identity)?$/i.test(headers.get('content-encoding') ?? ''))
    throw new Problem('unsupported-media-type', 'send the body without Content-Encoding');
  if (Number(headers.get('content-length') ?? 0) > limits.maxBodyBytes) throw tooLarge();
  const parts: Uint8Array[] = [];
  let length = 0;
  const reader = chunks?.[Symbol.asyncIterator]();
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () =>
        reject(
          new Problem('body-timeout', `the body did not arrive within ${limits.bodyTimeoutS} s`, {
            headers: { connection: 'close' },
          }),
        ),
      limits.bodyTimeoutS * 1000,
    );
  });
  timeout.catch(() => undefined);
  let isRead = false;
  try {
    while (reader !== undefined) {
      const next = await Promise.race([reader.next(), timeout]);
      if (next.done === true) break;
      const { value } = next;
      if (length + value.length > limits.maxBodyBytes) throw tooLarge();
      budget.take(value.length);
      length += value.length;
      parts.push(value);
    }
    isRead = true;
  } catch (error) {
    if (error instanceof Problem) throw error;
    throw new Problem('malformed-body', 'the body broke off', { cause: error });
  } finally {
    clearTimeout(timer);
    if (!isRead) {
      budget.give(length);
      reader?.return?.().catch(() => undefined);
    }
  }
  return { bytes: joinChunks(parts, length), release: () => budget.give(length) };
};

/**
 * Reads a body without keeping it, within its limits. A connection that closes after the answer must not close while its
 * client still sends: the client would see a broken pipe instead of the answer.
 */
export const discardBody = async (
  chunks: BodyChunks | undefined,
  { maxBodyBytes, bodyTimeoutS }: BodyLimits,
): Promise<void> => {
  const reader = chunks?.[Symbol.asyncIterator]();
  if (reader === undefined) return;
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), bodyTimeoutS * 1000);
  });
  try {
    for (let length = 0; length <= maxBodyBytes;) {
      const next = await Promise.race([reader.next(), timeout]);
      if (next === undefined || next.done === true) break;
      length += next.value.length;
    }
  } catch {
    // The client has disconnected.
  } finally {
    clearTimeout(timer);
    reader.return?.().catch(() => undefined);
  }
};

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

/** A body, whose bytes count until it is released. */
export interface Body {
  readonly bytes: Uint8Array<ArrayBuffer>;
  release(): void;
}

/**
 * Reads the body of a request.
 *
 * @throws {Problem} if it is too large by its header or its bytes, arrives too slowly, or breaks off
 */
export const readBody = async (request: Request, limits: BodyLimits, budget: BodyBudget): Promise<Body> => {
  const tooLarge = (): Problem =>
    new Problem('body-too-large', `the body may have ${limits.maxBodyBytes} bytes`, {
      headers: { connection: 'close' },
    });
  if (Number(request.headers.get('content-length') ?? 0) > limits.maxBodyBytes) throw tooLarge();
  const chunks: Uint8Array[] = [];
  let length = 0;
  const reader = request.body?.getReader();
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
      const { done, value } = (await Promise.race([reader.read(), timeout])) as ReadableStreamReadResult<Uint8Array>;
      if (done) break;
      if (length + value.length > limits.maxBodyBytes) throw tooLarge();
      budget.take(value.length);
      length += value.length;
      chunks.push(value);
    }
    isRead = true;
  } catch (error) {
    if (error instanceof Problem) throw error;
    throw new Problem('malformed-body', 'the body broke off', { cause: error });
  } finally {
    clearTimeout(timer);
    if (!isRead) {
      budget.give(length);
      reader?.cancel().catch(() => undefined);
    }
  }
  const bytes = new Uint8Array(length);
  let offset = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, offset);
    offset += chunk.length;
  }
  return { bytes, release: () => budget.give(length) };
};

/**
 * Reads a body without keeping it, within its limits. A connection that closes after the answer must not close while its
 * client still sends: the client would see a broken pipe instead of the answer.
 */
export const discardBody = async (request: Request, { maxBodyBytes, bodyTimeoutS }: BodyLimits): Promise<void> => {
  const reader = request.body?.getReader();
  if (reader === undefined) return;
  const timer = setTimeout(() => void reader.cancel().catch(() => undefined), bodyTimeoutS * 1000);
  try {
    for (let length = 0; length <= maxBodyBytes;) {
      const { done, value } = (await reader.read()) as ReadableStreamReadResult<Uint8Array>;
      if (done) break;
      length += value.length;
    }
  } catch {
    // The client has disconnected.
  } finally {
    clearTimeout(timer);
  }
};

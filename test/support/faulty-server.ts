import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Asked {
  readonly path: string;
  readonly range: string | undefined;
  readonly ifRange: string | undefined;
  readonly authorization: string | undefined;
}

/** Answers one request; `count` says how many of this path came before. */
export type Answer = (request: IncomingMessage, response: ServerResponse, count: number) => void;

/** A server on this machine that answers as it is told, path by path, and remembers what it was asked. */
export class FaultyServer {
  readonly asked: Asked[] = [];
  private readonly answers = new Map<string, Answer>();
  private readonly server: Server;

  private constructor() {
    this.server = createServer((request, response) => {
      const path = request.url ?? '/';
      const count = this.asked.filter((earlier) => earlier.path === path).length;
      const { range, authorization, 'if-range': ifRange } = request.headers;
      this.asked.push({ path, range, ifRange: ifRange?.toString(), authorization });
      const answer = this.answers.get(path);
      if (answer === undefined) response.writeHead(404).end();
      else answer(request, response, count);
    });
  }

  static async start(): Promise<FaultyServer> {
    const own = new FaultyServer();
    await new Promise<void>((resolve) => own.server.listen(0, '127.0.0.1', resolve));
    return own;
  }

  get address(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  on(path: string, answer: Answer): string {
    this.answers.set(path, answer);
    return `${this.address}${path}`;
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }
}

export interface Behaviour {
  readonly etag?: string;
  /** The connection breaks after so many bytes, in the first `breaks` answers. */
  readonly breakAfter?: number;
  readonly breaks?: number;
  readonly ignoresRange?: boolean;
  readonly ignoresIfRange?: boolean;
  readonly headers?: Readonly<Record<string, string>>;
}

/** A well-made file server, less what the behavior says. `bodyOf` gives the bytes for the nth request. */
export const serve =
  (bodyOf: Buffer | ((count: number) => { body: Buffer; etag?: string }), behavior: Behaviour = {}): Answer =>
  (request, response, count) => {
    const version = typeof bodyOf === 'function' ? bodyOf(count) : { body: bodyOf };
    const { body } = version;
    const etag = version.etag ?? behavior.etag;
    const ifRange = request.headers['if-range'];
    const matches = behavior.ignoresIfRange === true || ifRange === undefined || ifRange === etag;
    const from = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0);
    const isPart = from > 0 && behavior.ignoresRange !== true && matches;
    const common = { ...(etag === undefined ? {} : { etag }), ...behavior.headers };
    if (isPart && from >= body.length) {
      response.writeHead(416, { ...common, 'content-range': `bytes */${body.length}` }).end();
      return;
    }
    const rest = isPart ? body.subarray(from) : body;
    response.writeHead(isPart ? 206 : 200, {
      'content-length': String(rest.length),
      ...(isPart ? { 'content-range': `bytes ${from}-${body.length - 1}/${body.length}` } : {}),
      ...common,
    });
    if (behavior.breakAfter !== undefined && count < (behavior.breaks ?? Infinity))
      // Delayed: a reader loses the data that is still in transit when a connection breaks.
      response.write(rest.subarray(0, behavior.breakAfter), () => setTimeout(() => response.destroy(), 100));
    else response.end(rest);
  };

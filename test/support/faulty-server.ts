import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A request that the server received. */
export interface ReceivedRequest {
  readonly path: string;
  readonly range: string | undefined;
  readonly ifRange: string | undefined;
  readonly authorization: string | undefined;
}

/** Answers one request. `count` is the number of earlier requests for the same path. */
export type Answer = (request: IncomingMessage, response: ServerResponse, count: number) => void;

/** Local HTTP server with an answer for each path. It records the requests. */
export class FaultyServer {
  readonly requests: ReceivedRequest[] = [];
  private readonly answers = new Map<string, Answer>();
  private readonly server: Server;

  private constructor() {
    this.server = createServer((request, response) => {
      const path = request.url ?? '/';
      const count = this.requests.filter((earlier) => earlier.path === path).length;
      const { range, authorization, 'if-range': ifRange } = request.headers;
      this.requests.push({ path, range, ifRange: ifRange?.toString(), authorization });
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

/** Faults of a file server. */
export interface ServerFaults {
  readonly etag?: string;
  /** Closes the connection after this number of bytes, in the first `breaks` answers. */
  readonly breakAfter?: number;
  /** Default: all answers. */
  readonly breaks?: number;
  readonly ignoresRange?: boolean;
  readonly ignoresIfRange?: boolean;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Answer of a file server that supports ranges, except for the given faults. `bodyOf` returns the file for the nth request. */
export const serve =
  (bodyOf: Buffer | ((count: number) => { body: Buffer; etag?: string }), faults: ServerFaults = {}): Answer =>
  (request, response, count) => {
    const version = typeof bodyOf === 'function' ? bodyOf(count) : { body: bodyOf };
    const { body } = version;
    const etag = version.etag ?? faults.etag;
    const ifRange = request.headers['if-range'];
    const matches = faults.ignoresIfRange === true || ifRange === undefined || ifRange === etag;
    const from = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0);
    const isPart = from > 0 && faults.ignoresRange !== true && matches;
    const common = etag === undefined ? faults.headers : { etag, ...faults.headers };
    if (isPart && from >= body.length) {
      response.writeHead(416, { ...common, 'content-range': `bytes */${body.length}` }).end();
      return;
    }
    const rest = isPart ? body.subarray(from) : body;
    if (isPart) response.setHeader('content-range', `bytes ${from}-${body.length - 1}/${body.length}`);
    response.writeHead(isPart ? 206 : 200, { 'content-length': String(rest.length), ...common });
    if (faults.breakAfter !== undefined && count < (faults.breaks ?? Infinity))
      // With a delay, since the client loses bytes that are in flight when the connection closes.
      response.write(rest.subarray(0, faults.breakAfter), () => setTimeout(() => response.destroy(), 100));
    else response.end(rest);
  };

import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { extname, join, normalize } from 'node:path';

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript',
  '.mjs': 'text/javascript',
  '.css': 'text/css',
  '.json': 'application/json',
  '.wasm': 'application/wasm',
  '.png': 'image/png',
  '.jpg': 'image/jpeg',
  '.svg': 'image/svg+xml',
};

/** Headers of a cross-origin isolated page, on which WebAssembly may use threads. */
export const ISOLATION_HEADERS = {
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Embedder-Policy': 'require-corp',
} as const;

/** Serves folders and texts under URL prefixes, for tests of what runs in a browser. */
export class StaticServer {
  /** Headers of every response. */
  headers: Record<string, string> = {};
  /** Requested paths, with the method if it is not GET. */
  readonly requests: string[] = [];
  private readonly texts = new Map<string, { readonly text: string; readonly type: string }>();

  private constructor(
    private readonly server: Server,
    private readonly folders: Readonly<Record<string, string>>,
  ) {
    server.on('request', (request: IncomingMessage, response: ServerResponse) => void this.answer(request, response));
  }

  /** @param folders folder by URL prefix, the longest first */
  static async start(folders: Readonly<Record<string, string>>): Promise<StaticServer> {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return new StaticServer(server, folders);
  }

  /** Serves a text at a path. */
  setText(path: string, text: string, type = 'text/html; charset=utf-8'): void {
    this.texts.set(path, { text, type });
  }

  /** URL of a path. */
  url(path: string): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}${path}`;
  }

  async close(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }

  private async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = decodeURIComponent(new URL(request.url ?? '/', 'http://localhost').pathname);
    this.requests.push(request.method === 'GET' ? path : `${request.method ?? ''} ${path}`);
    const headers = { ...this.headers, 'Content-Type': TYPES[extname(path)] ?? 'application/octet-stream' };
    const given = this.texts.get(path);
    if (given !== undefined) {
      response.writeHead(200, { ...this.headers, 'Content-Type': given.type }).end(given.text);
      return;
    }
    const prefix = Object.keys(this.folders).find((start) => path.startsWith(start));
    const file = prefix === undefined ? undefined : join(this.folders[prefix]!, normalize(path.slice(prefix.length)));
    const info = file === undefined ? undefined : await stat(file).catch(() => undefined);
    if (file === undefined || info?.isFile() !== true) {
      response.writeHead(404, { ...this.headers, 'Content-Type': 'text/plain' }).end('not found');
      return;
    }
    const etag = `"${info.size}-${info.mtimeMs}"`;
    response.writeHead(200, { ...headers, 'Content-Length': info.size, ETag: etag });
    if (request.method === 'HEAD') response.end();
    else createReadStream(file).pipe(response);
  }
}

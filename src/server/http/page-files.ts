import { readFile, stat } from 'node:fs/promises';
import { extname } from 'node:path';
import type { PlainAnswer } from './request-context.ts';

/** Content types of the page's files. */
const CONTENT_TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.mjs': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.json': 'application/json',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.jpg': 'image/jpeg',
  '.webp': 'image/webp',
  '.wasm': 'application/wasm',
};

/**
 * Headers of the page. Scripts, styles and connections are the server's own; WebAssembly may be compiled; images may come
 * from files and the camera. The page is isolated, so that WebAssembly may use threads.
 */
const PAGE_HEADERS: Readonly<Record<string, string>> = {
  'content-security-policy': [
    "default-src 'none'",
    "script-src 'self' 'wasm-unsafe-eval'",
    "worker-src 'self' blob:",
    "style-src 'self'",
    "img-src 'self' blob: data:",
    "media-src 'self' blob:",
    "connect-src 'self' blob: data:",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; '),
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-embedder-policy': 'require-corp',
  'cross-origin-resource-policy': 'same-origin',
  'permissions-policy': 'camera=(self), microphone=(), geolocation=()',
  'cache-control': 'no-cache',
};

/** The files of the page. They are listed once: only these paths are answered. */
export class PageFiles {
  private readonly files = new Map<string, string>();

  /** @param files path of each file by its path in the page, as `packagedPage` gives them */
  constructor(files: ReadonlyMap<string, string>) {
    for (const [name, path] of files) this.files.set(`/${name}`, path);
    const index = files.get('index.html');
    if (index !== undefined) this.files.set('/', index);
  }

  has(path: string): boolean {
    return this.files.has(path);
  }

  /** The answer for a path of the page. @param knownVersion the `etag` that the browser has */
  async answer(path: string, knownVersion?: string): Promise<PlainAnswer> {
    const file = this.files.get(path)!;
    const { size, mtimeMs } = await stat(file);
    // ONNX Runtime and the model are large: browsers keep them and ask only whether they have changed.
    const headers = { ...PAGE_HEADERS, etag: `"${size}-${Math.round(mtimeMs)}"` };
    if (knownVersion === headers.etag) return { status: 304, headers, body: null };
    const type = CONTENT_TYPES[extname(file)] ?? 'application/octet-stream';
    return { status: 200, headers: { 'content-type': type, ...headers }, body: await readFile(file) };
  }
}

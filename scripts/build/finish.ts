/**
 * Completes `dist/` after the compiler: makes the command executable, copies ONNX Runtime's WebAssembly build, bundles
 * what browsers load and the dependencies of which the package uses a part, and writes a marker with the build time for `bin/mdetr.js`.
 */
import { chmodSync, copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ORT_WEB_FILES } from '../../src/engine/runtime/web/node/wasm-runtime.ts';
import { bundleDependencies, removeUnusedDeclarations } from './bundle-dependencies.ts';
import { buildPage, buildWeb } from './web.ts';

/** Files of ONNX Runtime Web for browsers, beside those that Node runs too: WebAssembly alone, and with WebGPU. */
const BROWSER_FILES = ['ort.wasm.bundle.min.mjs', 'ort.jspi.bundle.min.mjs', 'ort-wasm-simd-threaded.jspi.wasm'];

const dist = fileURLToPath(new URL('../../dist/', import.meta.url));
chmodSync(join(dist, 'cli/main.js'), 0o755);
const source = dirname(createRequire(import.meta.url).resolve('onnxruntime-web/ort-wasm-simd-threaded.wasm'));
mkdirSync(join(dist, 'ort'), { recursive: true });
for (const file of [...ORT_WEB_FILES, ...BROWSER_FILES]) copyFileSync(join(source, file), join(dist, 'ort', file));
await Promise.all([buildWeb(), buildPage(), bundleDependencies(dist)]);
const description = JSON.parse(readFileSync(join(dist, '../package.json'), 'utf8')) as {
  exports: Record<string, string | { types?: string }>;
};
const declarations = Object.values(description.exports).flatMap((entry) =>
  typeof entry === 'object' && entry.types !== undefined ? [join(dist, '..', entry.types)] : [],
);
// The command compiles a checkout without declarations.
if (declarations.every((path) => existsSync(path))) removeUnusedDeclarations(dist, declarations);
writeFileSync(join(dist, 'built'), '');

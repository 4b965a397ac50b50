/**
 * Completes `dist/` after the compiler: makes the command executable, copies ONNX Runtime's WebAssembly build, bundles
 * what browsers load, and writes a marker with the build time for `bin/mdetr.js`.
 */
import { chmodSync, copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ORT_WEB_FILES } from '../../src/engine/runtime/web/node/wasm-runtime.ts';
import { buildPage, buildWeb } from './web.ts';

/** Files of ONNX Runtime Web for browsers, beside those that Node runs too: WebAssembly alone, and with WebGPU. */
const BROWSER_FILES = ['ort.wasm.bundle.min.mjs', 'ort.jspi.bundle.min.mjs', 'ort-wasm-simd-threaded.jspi.wasm'];

const dist = fileURLToPath(new URL('../../dist/', import.meta.url));
chmodSync(join(dist, 'cli/main.js'), 0o755);
const source = dirname(createRequire(import.meta.url).resolve('onnxruntime-web/ort-wasm-simd-threaded.wasm'));
mkdirSync(join(dist, 'ort'), { recursive: true });
for (const file of [...ORT_WEB_FILES, ...BROWSER_FILES]) copyFileSync(join(source, file), join(dist, 'ort', file));
await Promise.all([buildWeb(), buildPage()]);
writeFileSync(join(dist, 'built'), '');

/**
 * Completes `dist/` after the compiler: bundles the dependencies of which the package uses a part, and the command line, which
 * it makes executable; copies ONNX Runtime's WebAssembly build, bundles what browsers load, and writes a marker with a digest
 * of the code, whose time `bin/mdetr.js` reads.
 */
import { createHash } from 'node:crypto';
import { chmodSync, copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ORT_WEB_FILES } from '../../src/engine/runtime/web/node/wasm-runtime.ts';
import { bundleDependencies, removeUnusedDeclarations } from './bundle-dependencies.ts';
import { bundleCommandLine } from './command-line.ts';
import { buildPage, buildWeb } from './web.ts';

/** Files of ONNX Runtime Web for browsers, beside those that Node runs too: WebAssembly alone, and with WebGPU. */
const BROWSER_FILES = ['ort.wasm.bundle.min.mjs', 'ort.jspi.bundle.min.mjs', 'ort-wasm-simd-threaded.jspi.wasm'];

/** Digest of the code that programs follow from: compiled programs are found in the cache without tracing them again. */
const codeDigest = (): string => {
  const hash = createHash('sha256');
  for (const folder of ['engine', 'nn', 'models', 'inference', 'model-folder', 'checkpoints'])
    for (const name of readdirSync(join(dist, folder), { recursive: true, encoding: 'utf8' }).sort())
      if (name.endsWith('.js')) hash.update(name).update(readFileSync(join(dist, folder, name)));
  return hash.digest('hex');
};

const dist = fileURLToPath(new URL('../../dist/', import.meta.url));
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
// After the dependencies, whose imports are rewritten.
await bundleCommandLine();
chmodSync(join(dist, 'cli/main.js'), 0o755);
writeFileSync(join(dist, 'code-digest'), codeDigest());
writeFileSync(join(dist, 'built'), '');

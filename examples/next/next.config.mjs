import { readdirSync } from 'node:fs';

/** Installed packages without those of the framework. */
const packages = readdirSync('node_modules').filter(
  (name) => !/^(\.|@types$|@next$|next$|react|typescript$)/.test(name),
);

/** @type {import('next').NextConfig} */
export default {
  // A server that can be copied to a machine without node_modules.
  output: 'standalone',
  // The package starts processes and loads native libraries, so it must not be bundled …
  serverExternalPackages: ['mdetr'],
  // … and what its worker process loads, which file tracing does not see, is copied: without libraries of other systems.
  outputFileTracingIncludes: {
    '/api/mdetr/*': packages.map((name) =>
      name === 'onnxruntime-node'
        ? `./node_modules/${name}/{package.json,dist/**/*,bin/*/${process.platform}/${process.arch}/*}`
        : `./node_modules/${name}/**/*`,
    ),
  },
  // The page is isolated, so that WebAssembly may use threads.
  headers: () => [
    {
      source: '/(.*)',
      headers: [
        { key: 'Cross-Origin-Opener-Policy', value: 'same-origin' },
        { key: 'Cross-Origin-Embedder-Policy', value: 'require-corp' },
      ],
    },
  ],
};

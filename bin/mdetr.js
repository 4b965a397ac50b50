#!/usr/bin/env node
/**
 * Starts the command line. In a checkout it first compiles `dist/` if that is missing or older than the sources, so that
 * installing needs no scripts; the published package contains `dist/` and no sources.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, statSync } from 'node:fs';
import module, { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const main = join(root, 'dist/cli/main.js');
const built = join(root, 'dist/built');

/** Newest modification time below a folder, in milliseconds. */
const newestMs = (folder) => {
  let newest = 0;
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    newest = Math.max(newest, entry.isDirectory() ? newestMs(path) : statSync(path).mtimeMs);
  }
  return newest;
};

const isStale = () => !existsSync(main) || !existsSync(built) || statSync(built).mtimeMs < newestMs(join(root, 'src'));

const build = () => {
  const require = createRequire(import.meta.url);
  let tools;
  try {
    tools = { tsc: require.resolve('typescript/lib/tsc.js'), tsx: require.resolve('tsx/cli') };
  } catch {
    process.stderr.write('mdetr: this checkout is not installed: run "npm ci"\n');
    process.exit(1);
  }
  process.stderr.write('mdetr: compiling the checkout (once)\n');
  // Types are not checked here, which takes a third of the time; npm run build and the gate check them.
  const steps = [
    [tools.tsc, '-p', 'tsconfig.build.json', '--noCheck', '--declaration', 'false'],
    [tools.tsx, 'scripts/build/finish.ts'],
  ];
  for (const step of steps) {
    const { status } = spawnSync(process.execPath, step, { cwd: root, stdio: ['ignore', 2, 2] });
    if (status !== 0) process.exit(1);
  }
};

if (existsSync(join(root, 'src')) && isStale()) build();
// Node 22 and newer keep the compiled code of the modules between processes.
module.enableCompileCache?.();
await import('../dist/cli/main.js');

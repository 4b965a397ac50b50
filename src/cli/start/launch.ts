#!/usr/bin/env node
/** Starts the command line: the bundle that has the called command. The build makes this file `dist/cli/main.js`. */
import { fileURLToPath } from 'node:url';
import { evaluateBundle } from './code-cache.ts';
import { setStartFlags, SHORT_COMMANDS, startFrugally } from './frugal-start.ts';

/** Digest of the bundle of short commands, which the build fills in. */
declare const SHORT_BUNDLE_DIGEST: string;

/** Exports of a bundle. */
interface CommandLine {
  readonly ended: Promise<void>;
}

const args = process.argv.slice(2);
const command = args.find((argument) => !argument.startsWith('-')) ?? '';
if (SHORT_COMMANDS.includes(command)) {
  startFrugally();
  const path = fileURLToPath(new URL('short.cjs', import.meta.url));
  const bundle = evaluateBundle({ path, name: `${command}-${SHORT_BUNDLE_DIGEST}-${process.version}-${process.arch}` });
  await (bundle.exports as CommandLine).ended;
  // A call that prints its help, or fails, compiles a small part of the code.
  const isTypical = process.exitCode === 0 && !args.some((argument) => argument === '--help' || argument === '-h');
  if (!bundle.isCached && isTypical) {
    setStartFlags();
    bundle.store();
  }
} else {
  // The query goes along: with another one, the program runs again in the same process.
  const full = (await import(`./full.js${new URL(import.meta.url).search}`)) as CommandLine;
  await full.ended;
}

/**
 * Processor time of `import 'mdetr'`, compared with loading `onnxruntime-node` and `sharp` alone:
 *
 *     npm run bench:import [-- RUNS]
 *
 * Prints the median of both and their ratio as JSON; exits with status 1 above the target of 1.4.
 */
import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { median } from './median.ts';

const TARGET_RATIO = 1.4;
const runs = Number(process.argv[2] ?? 9);
const root = fileURLToPath(new URL('..', import.meta.url));

/** Processor time in milliseconds of a fresh process that runs some code. */
const processorMs = (code: string): number => {
  const measured = `${code}\nconst { user, system } = process.cpuUsage();\nconsole.log((user + system) / 1000);`;
  return Number(
    execFileSync(process.execPath, ['--input-type=module', '-e', measured], { cwd: root, encoding: 'utf8' }),
  );
};

const cases = {
  empty: '',
  native: "await import('onnxruntime-node'); await import('sharp');",
  mdetr: "await import('./dist/index.js');",
};
// Interleaved, so that a busy machine slows all of them.
const times = { empty: [] as number[], native: [] as number[], mdetr: [] as number[] };
for (let run = 0; run < runs; run++)
  for (const name of ['empty', 'native', 'mdetr'] as const) times[name].push(processorMs(cases[name]));
const [emptyMs, nativeMs, mdetrMs] = [median(times.empty), median(times.native), median(times.mdetr)];
const ratio = mdetrMs / nativeMs;
const tenths = (value: number): number => Math.round(value * 10) / 10;
console.log(
  JSON.stringify({
    empty_ms: tenths(emptyMs),
    native_ms: tenths(nativeMs),
    mdetr_ms: tenths(mdetrMs),
    ratio: Math.round(ratio * 100) / 100,
  }),
);
if (ratio > TARGET_RATIO) process.exitCode = 1;

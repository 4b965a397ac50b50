/**
 * Start of the whole process of `mdetr detect` on the embedded model, against loading ONNX Runtime and sharp alone:
 *
 *     npm run bench:start [-- RUNS]
 *
 * Alternating runs with a warm cache; medians of time and peak memory as JSON, with their ratio (target 2.2) and difference
 * (target 35 MB). `load` is the machine's load average: above the number of cores, times are not comparable.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { median } from './median.ts';

const runs = Number(process.argv[2] ?? 9);
const root = fileURLToPath(new URL('..', import.meta.url));
const cache = mkdtempSync(join(tmpdir(), 'mdetr-start-'));
const detect = ['dist/cli/main.js', 'detect', 'examples/scene.png', '--caption', 'a red cube', '--json'];
/** Reports peak memory when a process ends; loaded before its program. */
const reporter = `data:text/javascript,${encodeURIComponent(
  "process.on('exit', () => process.stderr.write(`\\nmaxrss ${process.resourceUsage().maxRSS}\\n`));",
)}`;
const cases = {
  native: ['--input-type=module', '-e', "await import('onnxruntime-node'); await import('sharp');"],
  mdetr: detect,
} as const;

const measure = (args: readonly string[]): { readonly ms: number; readonly megabytes: number } => {
  const started = performance.now();
  const { status, stderr } = spawnSync(process.execPath, ['--import', reporter, ...args], {
    cwd: root,
    encoding: 'utf8',
    env: { ...process.env, MDETR_CACHE: cache },
  });
  const ms = performance.now() - started;
  const kilobytes = /maxrss (\d+)/.exec(stderr)?.[1];
  if (status !== 0 || kilobytes === undefined) throw new Error(stderr);
  return { ms, megabytes: Number(kilobytes) / 1024 };
};

try {
  measure(cases.mdetr); // fills the cache
  const results: Record<keyof typeof cases, ReturnType<typeof measure>[]> = { native: [], mdetr: [] };
  for (let run = 0; run < runs; run++)
    for (const name of ['native', 'mdetr'] as const) results[name].push(measure(cases[name]));
  const of = (name: keyof typeof cases, key: 'ms' | 'megabytes'): number =>
    median(results[name].map((result) => result[key]));
  console.log(
    JSON.stringify({
      load: loadavg()[0],
      native_ms: Math.round(of('native', 'ms')),
      mdetr_ms: Math.round(of('mdetr', 'ms')),
      ratio: Number((of('mdetr', 'ms') / of('native', 'ms')).toFixed(2)),
      native_mb: Math.round(of('native', 'megabytes')),
      mdetr_mb: Math.round(of('mdetr', 'megabytes')),
      difference_mb: Math.round(of('mdetr', 'megabytes') - of('native', 'megabytes')),
    }),
  );
} finally {
  rmSync(cache, { recursive: true, force: true });
}

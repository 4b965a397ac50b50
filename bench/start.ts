/**
 * Start of the whole process of `mdetr detect`, against loading ONNX Runtime and sharp alone:
 *
 *     npm run bench:start [-- --runs 9 --model official.pth --tokenizer DIR]
 *
 * Alternating runs with a warm cache: `native` loads ONNX Runtime and sharp, `runtime` also the modules that create sessions, `sessions`
 * also creates those of the model's programs in the way of the command (optimized programs of the cache, threads, all at the same time),
 * and `mdetr` is the command. Medians of time, processor time and peak memory as JSON. For the embedded model (no `--model`) the targets
 * are `ratio` 2.2 and `difference_mb` 35; for an official checkpoint 250 ms in `beyond_sessions_ms`: the command without `native`, without
 * the time from `runtime` to `sessions`, and without the network's own time.
 * `load` is the machine's load average: above the number of cores, only processor times are comparable.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { availableParallelism, cpus, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { median } from './median.ts';

const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '9' },
    model: { type: 'string' },
    tokenizer: { type: 'string' },
    /** Folder of compiled programs that stays; default: a temporary one. */
    cache: { type: 'string' },
    image: { type: 'string', default: 'examples/scene.png' },
    caption: { type: 'string', default: 'a red cube' },
  },
});
const root = fileURLToPath(new URL('..', import.meta.url));
const cache = values.cache ?? mkdtempSync(join(tmpdir(), 'mdetr-start-'));
const more = (['model', 'tokenizer'] as const).flatMap((name) => {
  const value = values[name];
  return value === undefined ? [] : [`--${name}`, value];
});

/** Reports processor time and peak memory when a process ends; loaded before its program. */
const reporter = `data:text/javascript,${encodeURIComponent(
  "process.on('exit', () => { const { maxRSS, userCPUTime, systemCPUTime } = process.resourceUsage();" +
    ' process.stderr.write(`\\nusage ${maxRSS} ${userCPUTime + systemCPUTime}\\n`); });',
)}`;

/** Loads what every program of this kind loads. */
const NATIVE = "await import('onnxruntime-node'); await import('sharp');";

/** Compiled programs of the model that was used last, for an image and for a caption. */
const compiledPrograms = (): readonly string[] => {
  const folder = join(cache, 'programs');
  const recipes = readdirSync(folder)
    .filter((name) => name.endsWith('.programs.json'))
    .map((name) => readFileSync(join(folder, name), 'utf8'))
    .filter((text) => text.startsWith('{'))
    .map((text) => JSON.parse(text) as Record<'image' | 'text', { readonly entry: string }>);
  const lastUsed = ({ image }: (typeof recipes)[number]): number => statSync(join(folder, image.entry)).mtimeMs;
  const [recipe] = recipes.sort((one, other) => lastUsed(other) - lastUsed(one));
  return [recipe!.image, recipe!.text].map(({ entry }) => join(folder, entry, 'model.onnx'));
};

/** Threads of a run, as the command chooses them for one image: one for an embedded model. */
const THREADS = values.model === undefined ? { threads: 1 } : {};

/** Loads the modules that create sessions, whose code the command has in its bundle. */
const RUNTIME =
  `await import('sharp'); const { createRuntime } = await import(${JSON.stringify(pathToFileURL(join(root, 'dist/engine/runtime/create-runtime.js')).href)});` +
  `const runtime = await createRuntime(${JSON.stringify(THREADS)});`;

/** Creates sessions in the way of the command: of the same files, all at the same time. */
const createSessions = (paths: readonly string[]): string =>
  `${RUNTIME} const program = { name: 'program', inputs: [], parameters: [], outputs: {} };` +
  `await Promise.all(${JSON.stringify(paths)}.map((compiled) => runtime.load(program, { compiled, isCached: true })));`;

interface Usage {
  readonly ms: number;
  readonly cpuMs: number;
  readonly megabytes: number;
  /** Time of the network itself, which the command reports; 0 for other programs. */
  readonly networkMs: number;
}

const measure = (args: readonly string[]): Usage => {
  const started = performance.now();
  const { status, stdout, stderr } = spawnSync(process.execPath, ['--import', reporter, ...args], {
    cwd: root,
    encoding: 'utf8',
    env: { ...process.env, MDETR_CACHE: cache },
  });
  const ms = performance.now() - started;
  const [, kilobytes, microseconds] = /usage (\d+) (\d+)/.exec(stderr) ?? [];
  if (status !== 0 || kilobytes === undefined) throw new Error(stderr);
  const networkMs = Number(/"timing":\{[^}]*"model":([\d.]+)/.exec(stdout)?.[1] ?? 0);
  return { ms, cpuMs: Number(microseconds) / 1000, megabytes: Number(kilobytes) / 1024, networkMs };
};

try {
  const detect = ['dist/cli/main.js', 'detect', values.image, '--caption', values.caption, '--json', ...more];
  measure(detect); // fills the cache
  measure(detect); // remembers which programs it takes
  const script = ['--input-type=module', '-e'];
  const cases = {
    native: [...script, NATIVE],
    runtime: [...script, RUNTIME],
    sessions: [...script, createSessions(compiledPrograms())],
    mdetr: detect,
  };
  const names = Object.keys(cases) as (keyof typeof cases)[];
  const results: Record<keyof typeof cases, Usage[]> = { native: [], runtime: [], sessions: [], mdetr: [] };
  for (let run = 0; run < Number(values.runs); run++)
    for (const name of names) results[name].push(measure(cases[name]));
  const of = (name: keyof typeof cases, key: keyof Usage): number => median(results[name].map((usage) => usage[key]));
  const sessionsMs = of('sessions', 'ms') - of('runtime', 'ms');
  const whole = Object.fromEntries(
    names.flatMap((name) => [
      [`${name}_ms`, Math.round(of(name, 'ms'))],
      [`${name}_cpu_ms`, Math.round(of(name, 'cpuMs'))],
      [`${name}_mb`, Math.round(of(name, 'megabytes'))],
    ]),
  );
  console.log(
    JSON.stringify({
      cpu: cpus()[0]?.model,
      cores: availableParallelism(),
      load: loadavg()[0],
      ...whole,
      ratio: Number((of('mdetr', 'ms') / of('native', 'ms')).toFixed(2)),
      cpu_ratio: Number((of('mdetr', 'cpuMs') / of('native', 'cpuMs')).toFixed(2)),
      difference_mb: Math.round(of('mdetr', 'megabytes') - of('native', 'megabytes')),
      sessions_only_ms: Math.round(sessionsMs),
      network_ms: Math.round(of('mdetr', 'networkMs')),
      beyond_sessions_ms: Math.round(of('mdetr', 'ms') - of('native', 'ms') - sessionsMs - of('mdetr', 'networkMs')),
    }),
  );
} finally {
  if (values.cache === undefined) rmSync(cache, { recursive: true, force: true });
}

/**
 * `npm run bench:training [-- --size small|scenes --threads 1 --parts 1 --replicas 2 …]`: a complete training step here and in PyTorch (when
 * MDETR_BENCH_PYTHON names a Python that has it), in separate processes that alternate. Then once more under the profiler
 * of ONNX Runtime, to show where the time is spent.
 */
import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import type { ProfileSummary } from './training/profile.ts';
import { median } from './median.ts';

const { values } = parseArgs({
  options: {
    /** `r101` is the published size at 512 pixels; see bench/pytorch/README.md. */
    size: { type: 'string', default: 'r101' },
    threads: { type: 'string', default: '2' },
    /** Parts in which a batch is computed; by default a run measures it when it begins, as `mdetr train` does. */
    parts: { type: 'string', default: 'auto' },
    /** Also measures so many copies of the network that share a step and its threads (`mdetr train --replicas`). */
    replicas: { type: 'string', default: '1' },
    repeat: { type: 'string', default: '5' },
    /** Number of times that the two sides alternate. */
    rounds: { type: 'string', default: '2' },
    /** `node` is the binding that copies all results. */
    runtime: { type: 'string', default: 'native' },
    /** Includes masks and questions in `scenes`, which the PyTorch side does not have. */
    whole: { type: 'boolean', default: false },
    /** Number of kernels in the list; 0 skips the profile. */
    top: { type: 'string', default: '25' },
    /** Also lists the most expensive nodes. */
    nodes: { type: 'string', default: '0' },
    ours: { type: 'boolean', default: false },
  },
});

interface Ours {
  readonly wallMs: readonly number[];
  readonly cpuMs: readonly number[];
  readonly phases: Readonly<Record<string, readonly number[]>>;
  readonly loss: number;
  readonly peakMb: number;
  readonly pairs: number;
  readonly parts: number;
  readonly pytorch: readonly string[];
  readonly profile?: ProfileSummary;
}

interface Theirs {
  readonly allMs: readonly number[];
  readonly allCpuMs: readonly number[];
  readonly phasesOfFastestMs: Readonly<Record<string, number>>;
  readonly peakRssBytes: number;
  readonly rssAfterImportsBytes: number;
}

const run = (command: string, args: readonly string[]): unknown => {
  const { stdout, stderr, status } = spawnSync(command, args, { encoding: 'utf8', maxBuffer: 2 ** 28 });
  if (status !== 0) throw new Error(`${command} failed: ${stderr}`);
  return JSON.parse(stdout.trim().split('\n').at(-1)!);
};

const tsx = pathToFileURL(
  join(createRequire(import.meta.url).resolve('tsx/package.json'), '../dist/esm/index.mjs'),
).href;
const runOurs = (...more: readonly string[]): Ours =>
  run(process.execPath, [
    '--import',
    tsx,
    join(import.meta.dirname, 'training/ours.ts'),
    ...(['size', 'threads', 'repeat', 'runtime', 'parts'] as const).flatMap((name) => [`--${name}`, values[name]]),
    ...(values.whole ? ['--whole'] : []),
    ...more,
  ]) as Ours;

const say = (line: string): void => void process.stdout.write(`${line}\n`);
const ms = (value: number): string => value.toFixed(0).padStart(7);

const python = values.ours ? undefined : process.env['MDETR_BENCH_PYTHON'];
const replicas = Number(values.replicas);
const [ours, divided, theirs]: [Ours[], Ours[], Theirs[]] = [[], [], []];
for (let round = 0; round < Number(values.rounds); round++) {
  const own = runOurs();
  ours.push(own);
  if (replicas > 1) divided.push(runOurs('--replicas', values.replicas));
  if (python === undefined) continue;
  const script = join(import.meta.dirname, 'pytorch/mdetr_baseline.py');
  theirs.push(run(python, [script, ...own.pytorch, '--threads', values.threads, '--repeat', values.repeat]) as Theirs);
}

const rowsOf = (own: readonly Ours[]) => [
  {
    name: 'step, median',
    ours: median(own.flatMap((o) => o.wallMs)),
    theirs: theirs.flatMap((t) => t.allMs),
    pick: median,
  },
  {
    name: 'step, fastest',
    ours: Math.min(...own.flatMap((o) => o.wallMs)),
    theirs: theirs.flatMap((t) => t.allMs),
    pick: (all: readonly number[]) => Math.min(...all),
  },
  {
    name: 'processor time',
    ours: median(own.flatMap((o) => o.cpuMs)),
    theirs: theirs.flatMap((t) => t.allCpuMs),
    pick: median,
  },
  {
    name: 'peak memory, MB',
    ours: Math.max(...own.map((o) => o.peakMb)),
    theirs: theirs.map((t) => t.peakRssBytes / 2 ** 20),
    pick: (all: readonly number[]) => Math.max(...all),
  },
];
say(
  `${values.size}, ${values.threads} threads, ${values.rounds} × ${values.repeat} steps (milliseconds), batches in ` +
    `${[...new Set(ours.map(({ parts }) => parts))].join(' or ')} parts`,
);
const sayRows = (own: readonly Ours[]): void => {
  for (const row of rowsOf(own)) {
    const other = row.theirs.length === 0 ? undefined : row.pick(row.theirs);
    say(
      `${row.name.padEnd(18)}${ms(row.ours)}${other === undefined ? '' : `   PyTorch ${ms(other)}   ratio ${(row.ours / other).toFixed(2)}`}`,
    );
  }
};
sayRows(ours);
const pairsPerSecond = (1000 * ours[0]!.pairs) / median(ours.flatMap((o) => o.wallMs));
say(`pairs per second  ${pairsPerSecond.toFixed(1).padStart(7)}`);
for (const name of Object.keys(ours[0]!.phases))
  say(`  ${name.padEnd(16)}${ms(median(ours.flatMap((o) => o.phases[name]!)))}`);
if (divided.length > 0) {
  say(`the same step in ${replicas} replicas of ${Number(values.threads) / replicas} threads`);
  sayRows(divided);
}
if (theirs.length > 0) {
  say(
    `PyTorch's fastest step: ${Object.entries(theirs[0]!.phasesOfFastestMs)
      .map(([name, value]) => `${name} ${value.toFixed(0)}`)
      .join(', ')}`,
  );
  say(`  (its libraries alone take ${(theirs[0]!.rssAfterImportsBytes / 2 ** 20).toFixed(0)} MB)`);
} else say('PyTorch was not measured: set MDETR_BENCH_PYTHON (bench/pytorch/README.md)');

if (Number(values.top) > 0 && values.runtime === 'native') {
  const profiled = runOurs('--profile', '--parts', '1');
  const profile = profiled.profile!;
  const whole = median(profiled.wallMs);
  const inside = Object.values(profile.programs).reduce((sum, value) => sum + value, 0);
  const host = median(profiled.phases['matchingMs']!) + median(profiled.phases['updateMs']!);
  say(
    `under the profiler, in one part, ${ms(whole)}: ${Object.entries(profile.programs)
      .map(([name, value]) => `${name} ${value.toFixed(0)}`)
      .join(', ')}`,
  );
  say(`neither programs, nor matching, nor optimizer: ${(100 * (1 - (inside + host) / whole)).toFixed(1)} %`);
  for (const { kind, ms: time, nodes } of profile.kinds.slice(0, Number(values.top)))
    say(`  ${kind.padEnd(44)}${ms(time)}   ${((100 * time) / whole).toFixed(1).padStart(5)} %   ${nodes} nodes`);
  for (const { node, ms: time, shapes } of profile.nodes.slice(0, Number(values.nodes)))
    say(`  ${node.padEnd(44)}${time.toFixed(1).padStart(7)}   ${shapes}`);
}

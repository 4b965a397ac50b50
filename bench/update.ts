/**
 * `npm run bench:update [-- --millions 185 --threads 2 …]`: the optimizer's part of a training step on the parameters of
 * the published network (ResNet-101 + RoBERTa-base), compared with a JavaScript loop, and with a plain copy as the limit of
 * memory bandwidth. All alternate; the fastest run of each counts. Processor time is the sum over all threads and is hardly
 * affected by other processes.
 */
import { parseArgs } from 'node:util';
import { MdetrNetwork, parseModelConfig } from '../src/models/index.ts';
import { SharedArena } from '../src/engine/runtime/native/shared-arena.ts';
import { officiallyTrainable } from '../src/train/step/parameters.ts';
import { sharedBeside, sharedFloats } from '../src/train/optimizer/shared-values.ts';
import { UpdatePool } from '../src/train/optimizer/update-pool.ts';
import { applyUpdate, sumOfSquares, type Update } from '../src/train/optimizer/update-pass.ts';

const { values: options } = parseArgs({
  options: {
    /** Number of parameters in millions, at most the network's 185; a million takes 20 MB. */
    millions: { type: 'string', default: '40' },
    /** Number of threads in the runs with a thread pool. */
    threads: { type: 'string', default: '2' },
    repeat: { type: 'string', default: '15' },
  },
});
const [limit, threads, repeat] = [Number(options.millions) * 1e6, Number(options.threads), Number(options.repeat)];

const model = new MdetrNetwork(parseModelConfig({}));
const isTrained = officiallyTrainable(model, { lr_backbone: 1e-5 });
const lengths: number[] = [];
let total = 0;
for (const { name, shape, kind } of model.registry.specs) {
  const length = shape.reduce((product, size) => product * size, 1);
  if (kind === 'buffer' || !isTrained(name) || total + length > limit) continue;
  lengths.push(length);
  total += length;
}

/** Gradients are ranges of an arena, as in training. */
const arena = new SharedArena(() => 0n);
const gradientOf = (length: number): Float32Array => {
  const { buffer, offset } = arena.allocate(length * Float32Array.BYTES_PER_ELEMENT);
  const gradient = new Float32Array(buffer, offset, length);
  for (let index = 0; index < length; index++) gradient[index] = 1e-3 * Math.sin(index);
  return gradient;
};
const updates: readonly Update[] = lengths.map((length) => {
  const values = sharedFloats(length).fill(0.5);
  return {
    kind: 'adamw',
    values,
    gradient: gradientOf(length),
    first: sharedBeside(values),
    second: sharedBeside(values),
    average: undefined,
    step: 5,
    rate: 1e-4,
    decay: 1e-4,
    clip: 0.1,
    averageDecay: 0.9998,
  };
});
const averaged = updates.map((update) => ({ ...update, average: sharedBeside(update.values) }));
const gradients = updates.map(({ gradient }) => gradient);

/** The same update as a JavaScript loop: one value at a time, in double precision. */
const plainAdamw = ({ values, gradient, first, second, step, rate, decay, clip }: Update): void => {
  const [shrink, stepSize] = [Math.fround(1 - rate * decay), rate / (1 - 0.9 ** step)];
  const correction = 1 / Math.sqrt(1 - 0.999 ** step);
  for (let index = 0; index < values.length; index++) {
    const slope = gradient[index]! * clip;
    const mean = 0.9 * first[index]! + (1 - 0.9) * slope;
    const square = 0.999 * second[index]! + (1 - 0.999) * slope * slope;
    first[index] = mean;
    second[index] = square;
    values[index] = values[index]! * shrink - (stepSize * mean) / (Math.sqrt(square) * correction + 1e-8);
  }
};
const plainSum = (values: Float32Array): number => {
  let sum = 0;
  for (let index = 0; index < values.length; index++) sum += values[index]! * values[index]!;
  return sum;
};

const pool = new UpdatePool(threads);
/** Minimum number of bytes to read and write per value. */
const cases: Readonly<Record<string, { readonly bytes: number; run(): unknown }>> = {
  'plain copy': {
    bytes: 8,
    run: () => {
      for (const { first, second } of updates) second.set(first);
    },
  },
  'norm, plain loop': { bytes: 4, run: () => gradients.reduce((sum, gradient) => sum + plainSum(gradient), 0) },
  norm: { bytes: 4, run: () => gradients.reduce((sum, data) => sum + sumOfSquares(data, 0, data.length), 0) },
  [`norm, ${threads} threads`]: { bytes: 4, run: () => pool.norm(gradients) },
  'AdamW, plain loop': { bytes: 28, run: () => updates.forEach(plainAdamw) },
  AdamW: { bytes: 28, run: () => updates.forEach((update) => applyUpdate(update, 0, update.values.length)) },
  [`AdamW, ${threads} threads`]: { bytes: 28, run: () => pool.apply(updates) },
  'AdamW and average': {
    bytes: 36,
    run: () => averaged.forEach((update) => applyUpdate(update, 0, update.values.length)),
  },
  [`AdamW and average, ${threads} threads`]: { bytes: 36, run: () => pool.apply(averaged) },
};

const cpuMs = (): number => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
};
const fastest = new Map<string, { readonly wallMs: number; readonly cpuMs: number }>();
for (let round = 0; round <= repeat; round++)
  for (const [name, { run }] of Object.entries(cases)) {
    const [startedMs, startedCpuMs] = [performance.now(), cpuMs()];
    await run();
    const [wall, cpu] = [performance.now() - startedMs, cpuMs() - startedCpuMs];
    const best = fastest.get(name) ?? { wallMs: Infinity, cpuMs: Infinity };
    // The first round touches memory for the first time.
    if (round > 0) fastest.set(name, { wallMs: Math.min(wall, best.wallMs), cpuMs: Math.min(cpu, best.cpuMs) });
  }
await pool.dispose();

const say = (line: string): void => void process.stdout.write(`${line}\n`);
const rateOf = (name: string): number => (cases[name]!.bytes * total) / fastest.get(name)!.cpuMs / 1e6;
const column = (value: number, digits: number, width: number): string => value.toFixed(digits).padStart(width);
say(`${(total / 1e6).toFixed(1)} million values in ${lengths.length} arrays`);
say(`${''.padEnd(32)}    wall, ms   processor, ms  ns per value  GB/s    vs. copy`);
for (const [name, { wallMs, cpuMs: ms }] of fastest)
  say(
    name.padEnd(32) +
      column(wallMs, 1, 12) +
      column(ms, 1, 16) +
      column((ms * 1e6) / total, 2, 13) +
      column(rateOf(name), 1, 7) +
      column((100 * rateOf(name)) / rateOf('plain copy'), 0, 12) +
      ' %',
  );

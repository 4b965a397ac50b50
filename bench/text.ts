/**
 * Captions of an image that is encoded already: one caption, and eight in one call (one run of the network, or several for large images), here and in PyTorch (when
 * MDETR_BENCH_PYTHON names a Python that has it), alternating in the same run. Weights are synthetic.
 *
 *     npm run bench:text [-- --size embedded --size tiny --size r101 --threads 2 --rounds 5 --repeat 10]
 *
 * Wall times are medians; processor times are medians over the rounds of means per run and count all threads. On a machine
 * that is not quiet only the latter say something: PyTorch's thread barriers suffer more from other processes than ours.
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { availableParallelism, cpus, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { createRuntime } from '../src/engine/runtime/create-runtime.ts';
import { ProgramCache } from '../src/engine/runtime/node/program-cache.ts';
import { captionsPerRun, evidenceFeeds } from '../src/inference/encoded-images.ts';
import { traceInference } from '../src/inference/programs.ts';
import { MdetrNetwork, parseModelConfig } from '../src/models/index.ts';
import { syntheticSource } from '../test/support/synthetic-weights.ts';
import { median } from './median.ts';
import { TINY_NETWORK } from './tiny-network.ts';

const { values } = parseArgs({
  options: {
    size: { type: 'string', multiple: true, default: ['embedded', 'tiny', 'r101'] },
    threads: { type: 'string', default: '2' },
    rounds: { type: 'string', default: '5' },
    /** Runs of each side in a round. */
    repeat: { type: 'string', default: '10' },
    tokens: { type: 'string', default: '15' },
  },
});
const [threads, rounds, repeat, tokens] = [values.threads, values.rounds, values.repeat, values.tokens].map(Number) as [
  number,
  number,
  number,
  number,
];
const CAPTION_COUNTS = [1, 8];

/** Networks by `--size`, with the size of the image in pixels. */
const SIZES: Readonly<
  Record<string, { config: () => Readonly<Record<string, unknown>>; height: number; width: number }>
> = {
  embedded: {
    config: () =>
      JSON.parse(readFileSync(new URL('../models/default/config.json', import.meta.url), 'utf8')) as Record<
        string,
        unknown
      >,
    height: 128,
    width: 192,
  },
  tiny: {
    config: () => TINY_NETWORK,
    height: 800,
    width: 1066,
  },
  r101: { config: () => ({}), height: 800, width: 1066 },
};

/** Measured runs of one side. */
interface Runs {
  readonly wallMs: readonly number[];
  /** Mean of a run. */
  readonly cpuMs: number;
}

interface Side {
  readonly measure: (captions: number) => Promise<Runs>;
  readonly close: () => Promise<void>;
}

const processorMs = (): number => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
};

const ourSide = async (name: string, folder: string): Promise<Side> => {
  const { config, height, width } = SIZES[name]!;
  const model = new MdetrNetwork(parseModelConfig(config()));
  const weights = syntheticSource(model);
  const runtime = await createRuntime({ threads, cache: new ProgramCache({ folder }) });
  const programs = traceInference(model);
  const image = await runtime.load(programs.image, { weights });
  const text = await runtime.load(programs.text, { weights });
  const features = await image.run({
    image: {
      dtype: 'float32',
      shape: [1, 3, height, width],
      data: Float32Array.from({ length: 3 * height * width }, (_, index) => Math.sin(index)),
    },
    padding: { dtype: 'bool', shape: [1, height, width], data: new Uint8Array(height * width) },
  });
  await image.dispose();
  const [, , rows, columns] = features.src.shape;
  const atOnce = captionsPerRun(rows! * columns!, model.config.nheads);
  /** One call: as many runs as the library makes of it. */
  const run = async (captions: number): Promise<void> => {
    for (let left = captions; left > 0; left -= atOnce) await runOnce(Math.min(left, atOnce));
  };
  const runOnce = async (captions: number): Promise<void> => {
    const shape = [captions, tokens];
    await text.run({
      src: features.src,
      feature_padding: features.feature_padding,
      ...evidenceFeeds([features]),
      image_index: { dtype: 'int32', shape: [captions], data: new Int32Array(captions) },
      input_ids: {
        dtype: 'int32',
        shape,
        data: Int32Array.from({ length: captions * tokens }, (_, k) => 4 + (k % 100)),
      },
      attention_mask: { dtype: 'int32', shape, data: new Int32Array(captions * tokens).fill(1) },
    });
  };
  return {
    measure: async (captions) => {
      const wallMs: number[] = [];
      const before = processorMs();
      for (let index = 0; index <= repeat; index++) {
        const started = performance.now();
        await run(captions);
        if (index > 0) wallMs.push(performance.now() - started);
      }
      return { wallMs, cpuMs: (processorMs() - before) / (repeat + 1) };
    },
    close: () => text.dispose(),
  };
};

const pytorchSide = async (name: string, python: string): Promise<Side> => {
  const { height, width } = SIZES[name]!;
  const settings = { size: name, tokens, height, width, threads, repeat };
  const child = spawn(
    python,
    [
      join(import.meta.dirname, 'pytorch/mdetr_baseline.py'),
      'text',
      ...Object.entries(settings).flatMap(([key, value]) => [`--${key}`, String(value)]),
    ],
    { stdio: ['pipe', 'pipe', 'inherit'] },
  );
  const ended = new Promise<void>((resolve) => child.on('close', () => resolve()));
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const next = async (): Promise<unknown> => {
    const { value, done } = await lines.next();
    if (done === true) throw new Error(`${python} ended early`);
    return JSON.parse(value);
  };
  await next(); // it is ready
  return {
    measure: async (captions) => {
      child.stdin.write(`${captions}\n`);
      return (await next()) as Runs;
    },
    close: async () => {
      child.stdin.end();
      await ended;
    },
  };
};

const say = (line: string): void => void process.stdout.write(`${line}\n`);
const python = process.env['MDETR_BENCH_PYTHON'];
const folder = mkdtempSync(join(tmpdir(), 'mdetr-bench-'));
try {
  for (const name of values.size) {
    if (!(name in SIZES)) throw new Error(`--size ${name}: must be one of ${Object.keys(SIZES).join(', ')}`);
    const sides = new Map([['ours', await ourSide(name, folder)]]);
    if (python !== undefined) sides.set('theirs', await pytorchSide(name, python));
    const runs = new Map<string, Runs[]>();
    const load: number[] = [];
    for (let round = 0; round <= rounds; round++) {
      load.push(loadavg()[0]!);
      for (const captions of CAPTION_COUNTS)
        for (const [side, { measure }] of sides) {
          const measured = await measure(captions);
          // The first round warms up.
          if (round > 0) runs.set(`${side} ${captions}`, [...(runs.get(`${side} ${captions}`) ?? []), measured]);
        }
    }
    await Promise.all(Array.from(sides.values(), (side) => side.close()));
    const busy = Math.max(...load);
    const quiet = busy <= availableParallelism() + 0.5 ? '' : ', NOT QUIET: only processor times can be compared';
    say(`${name}, ${threads} threads, ${cpus()[0]?.model ?? '?'}, load ${busy.toFixed(1)}${quiet} (milliseconds)`);
    const wall = (key: string): number => median(runs.get(key)!.flatMap(({ wallMs }) => wallMs));
    const cpu = (key: string): number => median(runs.get(key)!.map(({ cpuMs }) => cpuMs));
    for (const captions of CAPTION_COUNTS)
      for (const [what, value] of [
        ['median', wall],
        ['processor time', cpu],
      ] as const) {
        const own = value(`ours ${captions}`);
        const other = !sides.has('theirs') ? undefined : value(`theirs ${captions}`);
        const ratio =
          other === undefined ? '' : `   PyTorch ${other.toFixed(1).padStart(7)}   ratio ${(own / other).toFixed(2)}`;
        say(`  ${`${captions} in a call, ${what}`.padEnd(30)} ${own.toFixed(1).padStart(7)}${ratio}`);
      }
    for (const [what, value] of [
      ['median', wall],
      ['processor time', cpu],
    ] as const)
      say(`  eight in a call ÷ eight calls, ${what}: ${(value('ours 8') / (8 * value('ours 1'))).toFixed(2)}`);
  }
  if (python === undefined) say('PyTorch was not measured: set MDETR_BENCH_PYTHON (bench/pytorch/README.md)');
} finally {
  rmSync(folder, { recursive: true, force: true });
}

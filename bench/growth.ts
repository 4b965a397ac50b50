/**
 * How time and memory of inference grow with image size, caption length, captions of an image, images of a batch, and threads,
 * beside PyTorch if MDETR_BENCH_PYTHON names a Python that has it. Both sides alternate, point by point; weights are synthetic.
 *
 *     npm run bench:growth [-- --axis image --axis tokens …]     official size; 1 to 3 minutes an axis on two cores
 *     npm run bench:growth -- --quick                            a small network and few points, one minute in all
 *     npm run bench:growth -- --threads 1 --clock cpu            processor time, for busy machines
 *
 * Prints a table with the exponent of each axis (least squares of the logarithms, 95 % interval) and the largest ratio of a
 * point to its fit. `--json FILE` keeps the points, and those of axes that an earlier call measured; `npm run docs:growth`
 * draws them.
 */
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, cpus, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { createRuntime } from '../src/engine/runtime/create-runtime.ts';
import { ProgramCache } from '../src/engine/runtime/node/program-cache.ts';
import { evidenceFeeds } from '../src/inference/encoded-images.ts';
import { traceInference } from '../src/inference/programs.ts';
import { MdetrNetwork, parseModelConfig } from '../src/models/index.ts';
import { syntheticSource } from '../test/support/synthetic-weights.ts';
import { fitPowerLaw } from './exponent.ts';
import { TINY_NETWORK } from './tiny-network.ts';

const { values } = parseArgs({
  options: {
    axis: { type: 'string', multiple: true },
    quick: { type: 'boolean', default: false },
    threads: { type: 'string', default: String(availableParallelism()) },
    repeat: { type: 'string', default: '2' },
    clock: { type: 'string', default: 'wall' },
    json: { type: 'string' },
  },
});
const [threads, repeat] = [values.threads, values.repeat].map(Number) as [number, number];

/** One measurement. */
interface Point {
  /** Height and width of the images. */
  readonly side: number;
  readonly tokens: number;
  readonly captions: number;
  readonly batch: number;
  readonly threads: number;
  /** The image is encoded before, and only its captions are measured. */
  readonly textOnly: boolean;
}

interface Measured {
  readonly wallMs: number;
  readonly cpuMs: number;
  /** Most memory during the runs, beyond what is in use after a run with a small image and a short caption. */
  readonly growthMb: number;
  /** The same beyond what is in use after the model was loaded: with what a library allocates in its first run. */
  readonly sinceLoadMb: number;
}

const BASE: Point = { side: values.quick ? 256 : 400, tokens: 15, captions: 1, batch: 1, threads, textOnly: false };
/** Run after which the weights are in memory, and little else. */
const SMALLEST: Point = { ...BASE, side: 128, tokens: 5 };
/** Values of an axis, and the point of each. */
interface Axis {
  readonly title: string;
  readonly values: readonly number[];
  readonly at: (value: number) => Point;
}

const AXES: Readonly<Record<string, Axis>> = {
  image: {
    title: 'side of the image',
    values: values.quick ? [256, 384, 576] : [400, 600, 800, 1100, 1600],
    at: (side) => ({ ...BASE, side }),
  },
  tokens: {
    title: 'tokens of a further caption',
    values: values.quick ? [5, 40, 250] : [5, 15, 50, 120, 250],
    at: (tokens) => ({ ...BASE, tokens, textOnly: true }),
  },
  captions: {
    title: 'captions of an encoded image',
    values: values.quick ? [1, 4, 16] : [1, 2, 4, 8, 16, 32, 64],
    at: (captions) => ({ ...BASE, captions, textOnly: true }),
  },
  batch: {
    title: 'images, each with a caption',
    values: values.quick ? [1, 2, 4] : [1, 2, 4, 8, 16],
    at: (batch) => ({ ...BASE, batch, captions: batch }),
  },
  threads: {
    title: 'threads',
    values: Array.from({ length: Math.log2(availableParallelism()) + 1 }, (_, index) => 2 ** index),
    at: (count) => ({ ...BASE, side: 2 * BASE.side, threads: count }),
  },
};

type Measure = (point: Point) => Promise<Measured>;

const status = (key: string): number => Number(new RegExp(`${key}:\\s+(\\d+)`).exec(readFileSync('/proc/self/status', 'utf8'))?.[1]) / 1000; // prettier-ignore

const ourSide = async (folder: string): Promise<{ readonly measure: Measure; readonly close: () => Promise<void> }> => {
  const model = new MdetrNetwork(parseModelConfig(values.quick ? TINY_NETWORK : {}));
  const weights = syntheticSource(model);
  const programs = traceInference(model);
  const cache = new ProgramCache({ folder });
  const load = async (count: number) => {
    const runtime = await createRuntime({ threads: count, cache });
    const [image, text] = [
      await runtime.load(programs.image, { weights }),
      await runtime.load(programs.text, { weights }),
    ];
    return { count, image, text };
  };
  let loaded = await load(threads);
  let loadedMb = status('VmRSS');
  let base: number | undefined;
  const close = async (): Promise<void> => {
    await loaded.image.dispose();
    await loaded.text.dispose();
  };
  const measure = async (point: Point): Promise<Measured> => {
    if (loaded.count !== point.threads) {
      await close();
      loaded = await load(point.threads);
      loadedMb = status('VmRSS');
      base = undefined;
    }
    if (base === undefined) {
      await measureRuns({ ...SMALLEST, threads: point.threads }, 0);
      base = status('VmRSS');
    }
    return measureRuns(point, base);
  };
  const measureRuns = async ({ side, tokens, captions, batch, textOnly }: Point, baseMb: number): Promise<Measured> => {
    const { image, text } = loaded;
    // As on the other side, the images of all runs are the same.
    const images = {
      image: {
        dtype: 'float32',
        shape: [batch, 3, side, side],
        data: new Float32Array(batch * 3 * side * side).fill(0.5),
      },
      padding: { dtype: 'bool', shape: [batch, side, side], data: new Uint8Array(batch * side * side) },
    } as const;
    const encode = () => image.run(images);
    const encoded = textOnly ? await encode() : undefined;
    const shape = [captions, tokens];
    const run = async (): Promise<void> => {
      const features = encoded ?? (await encode());
      await text.run({
        src: features.src,
        feature_padding: features.feature_padding,
        ...evidenceFeeds([features]),
        image_index: {
          dtype: 'int32',
          shape: [captions],
          data: Int32Array.from({ length: captions }, (_, index) => index % batch),
        },
        input_ids: {
          dtype: 'int32',
          shape,
          data: Int32Array.from({ length: captions * tokens }, (_, k) => 4 + (k % 100)),
        },
        attention_mask: { dtype: 'int32', shape, data: new Int32Array(captions * tokens).fill(1) },
      });
    };
    writeFileSync('/proc/self/clear_refs', '5'); // the kernel forgets the highest resident size so far
    const before = process.cpuUsage();
    let wallMs = Infinity;
    for (let index = 0; index <= repeat; index++) {
      const started = performance.now();
      await run();
      if (index > 0) wallMs = Math.min(wallMs, performance.now() - started);
    }
    const { user, system } = process.cpuUsage(before);
    const peakMb = status('VmHWM');
    const cpuMs = (user + system) / 1000 / (repeat + 1);
    return { wallMs, cpuMs, growthMb: Math.max(0, peakMb - baseMb), sinceLoadMb: Math.max(0, peakMb - loadedMb) };
  };
  return { measure, close };
};

const pytorchSide = async (
  python: string,
): Promise<{ readonly measure: Measure; readonly close: () => Promise<void> }> => {
  const script = join(import.meta.dirname, 'pytorch/growth.py');
  const child = spawn(python, [script, '--size', values.quick ? 'tiny' : 'r101'], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const ended = new Promise<void>((resolve) => child.on('close', () => resolve()));
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const next = async (): Promise<unknown> => {
    const { value, done } = await lines.next();
    if (done === true) throw new Error(`${python} ended early`);
    return JSON.parse(value) as unknown;
  };
  await next(); // it is ready
  return {
    measure: async (point) => {
      child.stdin.write(`${JSON.stringify({ ...point, repeat })}\n`);
      return (await next()) as Measured;
    },
    close: async () => {
      child.stdin.end();
      await ended;
    },
  };
};

/** Points of an axis on both sides. */
interface AxisResult {
  readonly title: string;
  readonly machine: string;
  readonly clock: string;
  readonly values: readonly number[];
  readonly ours: readonly Measured[];
  readonly pytorch: readonly Measured[];
}

const say = (line: string): void => void process.stdout.write(`${line}\n`);
const timeOf = ({ wallMs, cpuMs }: Measured): number => (values.clock === 'cpu' ? cpuMs : wallMs);
/** Growth below this is noise of the allocator, and no law is fitted to it. */
const MIN_GROWTH_MB = 100;
const EXPONENT_MARGIN = 0.1;
const WORST_POINT = 1.5;

const report = (name: string, { values: xs, ours, pytorch, title }: AxisResult): void => {
  say(`\n${name}: ${title}`);
  xs.forEach((x, index) => {
    const [a, b] = [ours[index]!, pytorch[index]];
    const other = b === undefined ? '' : `   PyTorch ${timeOf(b).toFixed(0).padStart(6)} ms ${b.growthMb.toFixed(0).padStart(5)} MB   ratio ${(timeOf(a) / timeOf(b)).toFixed(2)}`; // prettier-ignore
    say(
      `${String(x).padStart(6)}  ${timeOf(a).toFixed(0).padStart(6)} ms ${a.growthMb.toFixed(0).padStart(5)} MB${other}`,
    );
  });
  const sides = { ours, PyTorch: pytorch };
  const laws = Object.entries(sides).flatMap(([side, points]) =>
    points.length < 2 ? [] : [[side, fitPowerLaw(xs.map((x, index) => [x, timeOf(points[index]!)]))] as const],
  );
  for (const [side, { exponent, halfWidth, worst }] of laws)
    say(
      `  time, ${side}: exponent ${exponent.toFixed(2)}${halfWidth === undefined ? '' : ` ± ${halfWidth.toFixed(2)}`}, slowest point ${worst.toFixed(2)} of the fit`,
    );
  for (const [side, points] of Object.entries(sides)) {
    if (points.length < 2 || points.some(({ growthMb }) => growthMb <= 0) || points.at(-1)!.growthMb < MIN_GROWTH_MB)
      continue;
    for (const [kind, beyond] of [
      ['growthMb', 'a small run'],
      ['sinceLoadMb', 'the loaded model'],
    ] as const) {
      const { exponent, halfWidth } = fitPowerLaw(xs.map((x, index) => [x, points[index]![kind]]));
      say(
        `  memory beyond ${beyond}, ${side}: exponent ${exponent.toFixed(2)}${halfWidth === undefined ? '' : ` ± ${halfWidth.toFixed(2)}`}`,
      );
    }
  }
  const [own, other] = laws.map(([, law]) => law);
  if (own === undefined) return;
  const isSteep = other !== undefined && own.exponent > other.exponent + EXPONENT_MARGIN;
  const isBent = own.worst > WORST_POINT;
  say(
    `  ${isSteep || isBent ? `ABOVE the limit:${isSteep ? ' exponent' : ''}${isBent ? ' a point' : ''}` : 'within the limits'}`,
  );
};

const chosen = values.axis ?? Object.keys(AXES);
const unknown = chosen.find((name) => !(name in AXES));
if (unknown !== undefined) throw new Error(`--axis ${unknown}: must be one of ${Object.keys(AXES).join(', ')}`);
const python = process.env['MDETR_BENCH_PYTHON'];
const folder = mkdtempSync(join(tmpdir(), 'mdetr-growth-'));
const stored = (
  values.json !== undefined && existsSync(values.json) ? JSON.parse(readFileSync(values.json, 'utf8')) : {}
) as Record<string, AxisResult>;
try {
  const ours = await ourSide(folder);
  const theirs = python === undefined ? undefined : await pytorchSide(python);
  const clock = values.clock === 'cpu' ? 'processor time' : 'wall time';
  for (const name of chosen) {
    const axis = AXES[name]!;
    const [own, other]: [Measured[], Measured[]] = [[], []];
    for (const value of axis.values) {
      own.push(await ours.measure(axis.at(value)));
      if (theirs !== undefined) other.push(await theirs.measure(axis.at(value)));
    }
    const load = loadavg()[0]!;
    const machine = `${cpus()[0]?.model ?? '?'}, ${name === 'threads' ? '' : `${threads} threads, `}load ${load.toFixed(1)}`;
    if (load > threads + 1.5) say(`the machine is not quiet (load ${load.toFixed(1)}): wall times do not compare`);
    stored[name] = { title: axis.title, machine, clock, values: axis.values, ours: own, pytorch: other };
    say(`${machine}, ${clock}, ${values.quick ? 'tiny network' : 'official size'}`);
    report(name, stored[name]);
    if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(stored, undefined, 1)}\n`);
  }
  await ours.close();
  await theirs?.close();
} finally {
  rmSync(folder, { recursive: true, force: true });
}

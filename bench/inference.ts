/**
 * Inference of ResNet-101 + RoBERTa-base at full size, compared with PyTorch if MDETR_BENCH_PYTHON names a Python that has
 * it. Weights are synthetic: the time does not depend on them.
 *
 *     npm run bench:inference [-- --size tiny --batch 4 …]
 *     npm run bench:inference -- --int8      also with integers in the backbone, beside the machine's peak
 *
 * Both sides alternate, `--rounds` times. With `--int8`, float32 and int8 alternate within our process.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { cpus, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { parseArgs } from 'node:util';
import { MdetrNetwork, parseModelConfig } from '../src/models/index.ts';
import { traceInference } from '../src/inference/programs.ts';
import { quantizeProgram } from '../src/inference/quantization/quantize-program.ts';
import { storageOf } from '../src/model-folder/weight-storage.ts';
import { evidenceFeeds } from '../src/inference/encoded-images.ts';
import { createRuntime } from '../src/engine/runtime/create-runtime.ts';
import { ProgramCache } from '../src/engine/runtime/node/program-cache.ts';
import { syntheticSource } from '../test/support/synthetic-weights.ts';
import { measurePeak } from './peak.ts';
import { measureRanges } from './synthetic-ranges.ts';
import { convolutionFlops } from './flops.ts';
import { median } from './median.ts';
import { TINY_NETWORK } from './tiny-network.ts';

const { values } = parseArgs({
  options: {
    /** `r101` is the published size, `tiny` that of the reference cases. */
    size: { type: 'string', default: 'r101' },
    threads: { type: 'string', default: '2' },
    batch: { type: 'string', default: '1' },
    repeat: { type: 'string', default: '5' },
    height: { type: 'string', default: '800' },
    width: { type: 'string', default: '1066' },
    tokens: { type: 'string', default: '15' },
    rounds: { type: 'string', default: '1' },
    int8: { type: 'boolean', default: false },
  },
});
const [threads, batch, repeat, height, width, tokens] = [
  values.threads,
  values.batch,
  values.repeat,
  values.height,
  values.width,
  values.tokens,
].map(Number) as [number, number, number, number, number, number];

const folder = mkdtempSync(join(tmpdir(), 'mdetr-bench-'));
/** Peak resident memory of this process, from the kernel; MB. */
const peakMb = (): number => {
  try {
    return Math.round(Number(/VmHWM:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]) / 1024);
  } catch {
    return Math.round(process.memoryUsage().rss / 2 ** 20);
  }
};

type Precision = 'float32' | 'int8';
/** Milliseconds of one precision on our side. */
interface Times {
  readonly first: number[];
  readonly imagePart: number[];
  readonly second: number[];
  /** Processor time of all threads, of the first caption and of a second one. */
  readonly firstCpu: number[];
  readonly secondCpu: number[];
}

const noTimes = (): Times => ({ first: [], imagePart: [], second: [], firstCpu: [], secondCpu: [] });

const processorMs = (): number => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
};

const model = new MdetrNetwork(parseModelConfig(values.size === 'tiny' ? TINY_NETWORK : {}));
const pixels = Float32Array.from({ length: batch * 3 * height * width }, (_, index) => Math.sin(index));
const imageFeeds = () =>
  ({
    image: { dtype: 'float32', shape: [batch, 3, height, width], data: pixels },
    padding: { dtype: 'bool', shape: [batch, height, width], data: new Uint8Array(batch * height * width) },
  }) as const;

/** Runs the precisions in alternation and adds their times. */
const runOurs = async (times: Readonly<Partial<Record<Precision, Times>>>): Promise<void> => {
  const weights = syntheticSource(model);
  const runtime = await createRuntime({ threads, cache: new ProgramCache({ folder }) });
  const programs = traceInference(model);
  const loaded = [];
  for (const [precision, own] of Object.entries(times)) {
    const isInt8 = precision === 'int8';
    const storage = storageOf(precision as Precision);
    const image = isInt8
      ? quantizeProgram(programs.image, await measureRanges(programs.image, weights, runtime, pixels, [height, width]))
          .program
      : programs.image;
    loaded.push({
      own,
      image: await runtime.load(image, { weights, storage }),
      text: await runtime.load(programs.text, { weights, storage }),
    });
  }
  for (let round = 0; round <= repeat; round++) {
    for (const { own, image, text } of loaded) {
      const [started, startedCpu] = [performance.now(), processorMs()];
      const features = await image.run(imageFeeds());
      const [encoded, encodedCpu] = [performance.now(), processorMs()];
      await text.run({
        src: features.src,
        feature_padding: features.feature_padding,
        ...evidenceFeeds([features]),
        image_index: { dtype: 'int32', shape: [batch], data: Int32Array.from({ length: batch }, (_, index) => index) },
        input_ids: {
          dtype: 'int32',
          shape: [batch, tokens],
          data: Int32Array.from({ length: batch * tokens }, (_, index) => 100 + index),
        },
        attention_mask: { dtype: 'int32', shape: [batch, tokens], data: new Int32Array(batch * tokens).fill(1) },
      });
      const [done, doneCpu] = [performance.now(), processorMs()];
      // The first round warms up.
      if (round === 0) continue;
      own.first.push(done - started);
      own.imagePart.push(encoded - started);
      own.second.push(done - encoded);
      own.firstCpu.push(doneCpu - startedCpu);
      own.secondCpu.push(doneCpu - encodedCpu);
    }
  }
  for (const { image, text } of loaded) {
    await image.dispose();
    await text.dispose();
  }
};

/** PyTorch's image part: what its first caption takes beyond a second one. */
const IMAGE_PARTS: Readonly<Record<string, readonly [first: string, second: string]>> = {
  imageMs: ['medianMs', 'secondTextMs'],
  imageCpuMs: ['cpuMs', 'secondCpuMs'],
};

const difference = (a: number | undefined, b: number | undefined): number | undefined =>
  a === undefined || b === undefined ? undefined : a - b;

const runPyTorch = (python: string): Record<string, number> => {
  const script = join(import.meta.dirname, 'pytorch/mdetr_baseline.py');
  const args = [
    script,
    'infer',
    '--size',
    values.size,
    '--height',
    String(height),
    '--width',
    String(width),
    '--tokens',
    String(tokens),
    '--batch',
    String(batch),
    '--threads',
    String(threads),
    '--repeat',
    String(repeat),
    '--second-text',
  ];
  const { stdout, stderr, status } = spawnSync(python, args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`${python} failed: ${stderr}`);
  const result = JSON.parse(stdout.trim().split('\n').at(-1)!) as {
    medianMs: number;
    minMs: number;
    cpuMs: number;
    secondText: { medianMs: number; cpuMs: number };
    peakRssBytes: number;
  };
  return {
    medianMs: result.medianMs,
    minMs: result.minMs,
    secondTextMs: result.secondText.medianMs,
    cpuMs: result.cpuMs,
    secondCpuMs: result.secondText.cpuMs,
    peakMb: Math.round(result.peakRssBytes / 2 ** 20),
  };
};

const times: Partial<Record<Precision, Times>> = { float32: noTimes() };
if (values.int8) times.int8 = noTimes();
const python = process.env['MDETR_BENCH_PYTHON'];
const theirs: Record<string, number>[] = [];
try {
  for (let round = 0; round < Number(values.rounds); round++) {
    await runOurs(times);
    if (python !== undefined) theirs.push(runPyTorch(python));
  }
  const peak = peakMb();
  const theirOf = (name: string): number | undefined =>
    theirs.length === 0 ? undefined : median(theirs.map((result) => result[name]!));
  process.stdout.write(
    `${values.size}, ${batch} × ${height} × ${width}, ${tokens} tokens, ${threads} threads, load ${loadavg()[0]!.toFixed(1)}, ${cpus()[0]?.model ?? '?'}\n`,
  );
  const flops = convolutionFlops(traceInference(model).image, { images: batch, height, width }) / 1e9;
  const machine = values.int8 ? await measurePeak(threads) : undefined;
  const results: Record<string, unknown> = {};
  for (const [precision, { first, imagePart, second, firstCpu, secondCpu }] of Object.entries(times)) {
    const ours: Record<string, number> = {
      medianMs: median(first),
      minMs: Math.min(...first),
      imageMs: median(imagePart),
      secondTextMs: median(second),
      cpuMs: median(firstCpu),
      secondCpuMs: median(secondCpu),
      imageCpuMs: median(firstCpu) - median(secondCpu),
    };
    if (!values.int8) ours['peakMb'] = peak;
    results[precision] = ours;
    process.stdout.write(`${precision}\n`);
    for (const [name, value] of Object.entries(ours)) {
      const parts = IMAGE_PARTS[name];
      const other = parts === undefined ? theirOf(name) : difference(theirOf(parts[0]), theirOf(parts[1]));
      const ratio = other === undefined ? '' : `   PyTorch ${other.toFixed(0)}   ratio ${(value / other).toFixed(2)}`;
      process.stdout.write(`${name.padEnd(14)} ${value.toFixed(0).padStart(6)}${ratio}\n`);
    }
    const reached = flops / (ours['imageMs']! / 1000);
    const best = machine?.[precision as Precision];
    process.stdout.write(
      `convolutions of the image part: ${flops.toFixed(0)} GFLOP, ${reached.toFixed(0)} GFLOP/s${best === undefined ? '' : `; the machine's largest matrix product: ${best.toFixed(0)} GFLOP/s`}\n`,
    );
    process.stdout.write(
      `a second caption takes ${(ours['secondTextMs']! / ours['medianMs']!).toFixed(2)} of the time of the first\n`,
    );
  }
  if (python === undefined)
    process.stdout.write('PyTorch was not measured: set MDETR_BENCH_PYTHON (bench/pytorch/README.md)\n');
  process.stdout.write(`${JSON.stringify({ ours: results, pytorch: theirs, gflop: flops, peak: machine })}\n`);
} finally {
  rmSync(folder, { recursive: true, force: true });
}

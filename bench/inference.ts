/**
 * Inference of ResNet-101 + RoBERTa-base at full size, compared with PyTorch if MDETR_BENCH_PYTHON names a Python that has
 * it. Weights are synthetic: the time does not depend on them.
 *
 *     npm run bench:inference [-- --size tiny --batch 4 …]
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { parseArgs } from 'node:util';
import { MdetrNetwork, parseModelConfig } from '../src/models/index.ts';
import { traceInference } from '../src/inference/programs.ts';
import { evidenceFeeds } from '../src/inference/encoded-images.ts';
import { createRuntime } from '../src/engine/runtime/create-runtime.ts';
import { ProgramCache } from '../src/engine/runtime/node/program-cache.ts';
import { syntheticSource } from '../test/support/synthetic-weights.ts';
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

const runOurs = async (): Promise<Record<string, number>> => {
  const model = new MdetrNetwork(parseModelConfig(values.size === 'tiny' ? TINY_NETWORK : {}));
  const weights = syntheticSource(model);
  const runtime = await createRuntime({ threads, cache: new ProgramCache({ folder }) });
  const programs = traceInference(model);
  const image = await runtime.load(programs.image, { weights });
  const text = await runtime.load(programs.text, { weights });
  const first: number[] = [];
  const second: number[] = [];
  const pixels = Float32Array.from({ length: batch * 3 * height * width }, (_, index) => Math.sin(index));
  for (let round = 0; round <= repeat; round++) {
    const started = performance.now();
    const features = await image.run({
      image: { dtype: 'float32', shape: [batch, 3, height, width], data: pixels },
      padding: { dtype: 'bool', shape: [batch, height, width], data: new Uint8Array(batch * height * width) },
    });
    const encoded = performance.now();
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
    const done = performance.now();
    // The first round warms up.
    if (round === 0) continue;
    first.push(done - started);
    second.push(done - encoded);
  }
  await image.dispose();
  await text.dispose();
  return { medianMs: median(first), minMs: Math.min(...first), secondTextMs: median(second), peakMb: peakMb() };
};

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
    secondText: { medianMs: number };
    peakRssBytes: number;
  };
  return {
    medianMs: result.medianMs,
    minMs: result.minMs,
    secondTextMs: result.secondText.medianMs,
    peakMb: Math.round(result.peakRssBytes / 2 ** 20),
  };
};

try {
  const ours = await runOurs();
  const python = process.env['MDETR_BENCH_PYTHON'];
  const theirs = python === undefined ? undefined : runPyTorch(python);
  process.stdout.write(`${values.size}, ${batch} × ${height} × ${width}, ${tokens} tokens, ${threads} threads\n`);
  for (const [name, value] of Object.entries(ours)) {
    const other = theirs?.[name];
    const ratio = other === undefined ? '' : `   PyTorch ${other.toFixed(0)}   ratio ${(value / other).toFixed(2)}`;
    process.stdout.write(`${name.padEnd(14)} ${value.toFixed(0).padStart(6)}${ratio}\n`);
  }
  process.stdout.write(
    `a second caption takes ${(ours['secondTextMs']! / ours['medianMs']!).toFixed(2)} of the time of the first\n`,
  );
  if (theirs === undefined)
    process.stdout.write('PyTorch was not measured: set MDETR_BENCH_PYTHON (bench/pytorch/README.md)\n');
  process.stdout.write(`${JSON.stringify({ ours, pytorch: theirs })}\n`);
} finally {
  rmSync(folder, { recursive: true, force: true });
}

import { spawn } from 'node:child_process';
import { createWriteStream, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { median } from './median.ts';

/**
 * Memory of `mdetr detect` with long lists of images (needs `npm run build`):
 *
 *     npx tsx bench/image-lists.ts [--lines 10000000] [--images 1000] [--rounds 3]
 *
 * Prints the peak of resident memory with a list of `lines` lines against that with one of `images` lines. Both calls detect
 * in the same number of images: the long list is given with `--shard 0/N`, whose images exist, and the names of the other
 * shards do not. A third call reads a list of a hundredth of the lines from standard input without a shard, so that nearly every
 * image is missing, reported and counted; a fourth resumes the second.
 */
const { values } = parseArgs({
  options: {
    lines: { type: 'string', default: '10000000' },
    images: { type: 'string', default: '1000' },
    rounds: { type: 'string', default: '3' },
  },
});
const [lines, images, rounds] = [Number(values.lines), Number(values.images), Number(values.rounds)];
const program = fileURLToPath(new URL('../dist/cli/main.js', import.meta.url));
const scene = fileURLToPath(new URL('../examples/scene.png', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'mdetr-lists-'));

/** Writes lines of which every `step`-th is an image that exists. */
const writeLines = async (stream: NodeJS.WritableStream, count: number, step: number): Promise<void> => {
  for (let start = 0; start < count; start += 10_000) {
    const chunk = Array.from({ length: Math.min(10_000, count - start) }, (_, i) =>
      (start + i) % step === 0 ? scene : `photos/${Math.floor((start + i) / 1000)}/${start + i}.jpg`,
    );
    if (!stream.write(`${chunk.join('\n')}\n`)) await once(stream, 'drain');
  }
  stream.end();
};

const writeList = async (name: string, count: number, step: number): Promise<string> => {
  const stream = createWriteStream(join(folder, name));
  await Promise.all([writeLines(stream, count, step), once(stream, 'finish')]);
  return `@${join(folder, name)}`;
};

/** Runs detect, and returns its peak of resident memory in MiB. */
const peakOf = async (args: readonly string[], feed?: (input: NodeJS.WritableStream) => Promise<void>) => {
  const child = spawn(process.execPath, [program, 'detect', ...args, '--caption', 'a cube', '--threads', '1'], {
    stdio: ['pipe', 'ignore', 'pipe'],
  });
  let [peak, message] = [0, ''];
  child.stderr.on('data', (chunk: Buffer) => (message = (message + chunk.toString()).slice(-1000)));
  const timer = setInterval(() => {
    try {
      const status = readFileSync(`/proc/${String(child.pid)}/status`, 'utf8');
      peak = Math.max(peak, Number(/VmHWM:\s+(\d+)/.exec(status)?.[1] ?? 0) / 1024);
    } catch {
      // The process has ended.
    }
  }, 50);
  const began = performance.now();
  const ended = once(child, 'close') as Promise<[number | null]>;
  await feed?.(child.stdin);
  const [status] = await ended;
  clearInterval(timer);
  if (status !== 0) throw new Error(message);
  return { peak, seconds: (performance.now() - began) / 1000 };
};

try {
  const step = Math.floor(lines / images);
  const missing = Math.floor(lines / 100);
  const short = await writeList('short.txt', images, 1);
  const long = await writeList('long.txt', lines, step);
  const sharded = [long, '--results', join(folder, 'long.jsonl'), '--shard', `0/${step}`];
  const calls: readonly (readonly [string, () => ReturnType<typeof peakOf>])[] = [
    [`${images} lines`, () => peakOf([short, '--results', join(folder, 'short.jsonl')])],
    [`${lines} lines, ${images} images of shard 0/${step}`, () => peakOf(sharded)],
    ['the same, resumed when all is done', () => peakOf([...sharded, '--resume'])],
    [
      `${missing} lines of standard input, ${missing - images} of them missing`,
      () => peakOf(['@-', '--results', join(folder, 'piped.jsonl')], (input) => writeLines(input, missing, step / 100)),
    ],
  ];
  const found = calls.map((): { peak: number; seconds: number }[] => []);
  // Peaks of equal calls differ by a tenth: calls alternate, and medians are compared.
  for (let round = 0; round < rounds; round++)
    for (const [index, [what, call]] of calls.entries()) {
      if (!what.includes('resumed'))
        for (const name of readdirSync(folder).filter((each) => each.includes('jsonl'))) rmSync(join(folder, name));
      found[index]!.push(await call());
      const { peak, seconds } = found[index]!.at(-1)!;
      process.stderr.write(`round ${round + 1}, ${what}: ${peak.toFixed(0)} MiB, ${seconds.toFixed(0)} s\n`);
    }
  const peaks = found.map((each) => median(each.map(({ peak }) => peak)));
  for (const [index, [what]] of calls.entries())
    console.log(
      `${what}: peak ${peaks[index]!.toFixed(0)} MiB; ratio ${(peaks[index]! / peaks[0]!).toFixed(3)} (target ≤ 1.1)`,
    );
} finally {
  rmSync(folder, { recursive: true, force: true });
}

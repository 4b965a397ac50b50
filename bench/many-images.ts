import { spawn } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import sharp from 'sharp';
import { decodeImage } from '../src/data/images/node/decode-image.ts';
import { MDETR } from '../src/inference/node/mdetr.ts';
import { generateScene } from '../src/scenes/render/scene.ts';

/**
 * `mdetr detect` on folders of many images (needs `npm run build`):
 *
 *     npx tsx bench/many-images.ts [--small 1000] [--large 10000] [--kills 5] [--loop 3000]
 *
 * Prints the peak of resident memory on the large folder against that on the small one (target ≤ 1.1), both rates against a
 * loop over decoded images, measured before and after them (target ≥ 0.9), and checks that every image is there exactly once,
 * also after kills and `--resume`; one image in a hundred is broken. The loop decodes its images before the time is taken,
 * knows its model, and calls `detectBatch` with default options, one batch after another.
 */
const { values } = parseArgs({
  options: {
    small: { type: 'string', default: '1000' },
    large: { type: 'string', default: '10000' },
    kills: { type: 'string', default: '5' },
    loop: { type: 'string', default: '3000' },
  },
});
const program = fileURLToPath(new URL('../dist/cli/main.js', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'mdetr-many-'));
const CAPTION = 'a red cube and a blue ball';

const seeds = await Promise.all(
  Array.from({ length: 20 }, async (_, i) => {
    const { image } = generateScene(11, i, {});
    const path = join(folder, `seed-${i}.png`);
    await sharp(image.data, { raw: { width: image.width, height: image.height, channels: 3 } })
      .png()
      .toFile(path);
    return path;
  }),
);

const makeFolder = (count: number): string => {
  const own = join(folder, String(count));
  mkdirSync(own);
  for (let i = 0; i < count; i++) {
    const path = join(own, `${String(i).padStart(6, '0')}.png`);
    if (i % 100 === 99) writeFileSync(path, readFileSync(seeds[0]!).subarray(0, 3000));
    else copyFileSync(seeds[i % seeds.length]!, path);
  }
  return own;
};

/** Runs detect; returns its peak resident memory in MiB and its images per second without loading the model. */
const detect = (images: string, count: number) =>
  new Promise<{ peakMiB: number; rate: number }>((resolve, reject) => {
    const results = join(folder, `${count}.jsonl`);
    const child = spawn(process.execPath, [program, 'detect', images, '--caption', CAPTION, '--results', results], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let [peak, first, last] = [0, 0, 0];
    let message = '';
    child.stderr.on('data', (chunk: Buffer) => (message = (message + chunk.toString()).slice(-2000)));
    const timer = setInterval(() => {
      try {
        const status = readFileSync(`/proc/${String(child.pid)}/status`, 'utf8');
        peak = Math.max(peak, Number(/VmHWM:\s+(\d+)/.exec(status)?.[1] ?? 0) / 1024);
        if (first === 0 && readFileSync(results).length > 0) first = performance.now();
      } catch {
        // The process has not started yet, or has ended.
      }
    }, 50);
    child.on('close', (status) => {
      clearInterval(timer);
      last = performance.now();
      if (status !== 0) {
        reject(new Error(message));
        return;
      }
      const lines = readFileSync(results, 'utf8').trimEnd().split('\n');
      const names = new Set(lines.map((line) => (JSON.parse(line) as { image: string }).image));
      const whole = count - Math.floor(count / 100);
      if (names.size !== whole || lines.length !== whole) {
        reject(new Error(`${lines.length} results, ${names.size} images of ${whole}`));
        return;
      }
      resolve({ peakMiB: peak, rate: whole / ((last - first) / 1000) });
    });
  });

/** Kills detect (SIGKILL) after random times and resumes it until it ends; returns the number of kills. */
const killAndResume = async (images: string, count: number, kills: number): Promise<number> => {
  const results = join(folder, 'killed.jsonl');
  const args = [program, 'detect', images, '--caption', CAPTION, '--results', results];
  let done = 0;
  for (let call = 0; ; call++) {
    const child = spawn(process.execPath, [...args, ...(call > 0 ? ['--resume'] : [])], { stdio: 'ignore' });
    const ended = new Promise<number | null>((resolve) => child.on('close', (status) => resolve(status)));
    const after = 800 + Math.random() * 0.6 * count;
    const timer = done < kills ? setTimeout(() => child.kill('SIGKILL'), after) : undefined;
    const status = await ended;
    clearTimeout(timer);
    if (status === null) done++;
    else if (status === 0) break;
    else throw new Error(`detect --resume ended with status ${status}`);
  }
  const names = readFileSync(results, 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => (JSON.parse(line) as { image: string }).image);
  const whole = count - Math.floor(count / 100);
  if (names.length !== whole || new Set(names).size !== whole)
    throw new Error(`after ${done} kills: ${names.length} results, ${new Set(names).size} images of ${whole}`);
  return done;
};

/** Images per second of a loop over decoded images, in batches of four as in the command. */
const loopRate = async (count: number): Promise<number> => {
  await using model = await MDETR.fromPretrained();
  const images = await Promise.all(seeds.map((path) => decodeImage(path)));
  const batch = (start: number) =>
    model.detectBatch([0, 1, 2, 3].map((i) => ({ image: { ...images[(start + i) % images.length]! }, text: CAPTION })));
  await batch(0);
  const started = performance.now();
  for (let done = 0; done < count; done += 4) await batch(done);
  return count / ((performance.now() - started) / 1000);
};

try {
  const [small, large, loop] = [Number(values.small), Number(values.large), Number(values.loop)];
  const few = makeFolder(small);
  const many = makeFolder(large);
  const before = await loopRate(loop);
  const first = await detect(few, small);
  const second = await detect(many, large);
  const after = await loopRate(loop);
  const rate = 2 / (1 / before + 1 / after);
  console.log(`loop over decoded images: ${before.toFixed(1)} a second before, ${after.toFixed(1)} after`);
  for (const [count, { peakMiB, rate: own }] of [[small, first] as const, [large, second] as const])
    console.log(
      `${count} images: peak ${peakMiB.toFixed(0)} MiB, ${own.toFixed(1)} images a second, ` +
        `${(own / rate).toFixed(2)} of the loop (target ≥ 0.9)`,
    );
  console.log(`memory ratio ${(second.peakMiB / first.peakMiB).toFixed(3)} (target ≤ 1.1)`);
  const kills = await killAndResume(few, small, Number(values.kills));
  console.log(`${kills} kills (SIGKILL) and --resume: every image exactly once`);
} finally {
  rmSync(folder, { recursive: true, force: true });
}

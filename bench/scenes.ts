/**
 * Scenes and texts that one core generates per second: `npm run bench:scenes`. CPU time is measured, so that other load on
 * the machine has little influence. Prints a Markdown table.
 */
import {
  describeScene,
  generateScene,
  makeTexts,
  Random,
  TEXT_KINDS,
  type RenderedScene,
  type SceneOptions,
} from '../src/scenes/index.ts';

const perSecond = (count: number, work: (index: number) => unknown): number => {
  for (let i = 0; i < Math.min(count, 20); i++) work(i);
  const start = process.cpuUsage().user;
  for (let i = 0; i < count; i++) work(i);
  return count / ((process.cpuUsage().user - start) / 1e6);
};

const rows: (readonly [what: string, perSecond: number])[] = [];
const images: readonly (readonly [count: number, options: SceneOptions & { width: number; height: number }])[] = [
  [200, { width: 128, height: 96 }],
  [200, { width: 192, height: 128 }],
  [60, { width: 192, height: 128, quality: 'fine' }],
  [30, { width: 480, height: 320 }],
];
for (const [count, options] of images) {
  const rate = perSecond(count, (index): RenderedScene => generateScene(1, index, options));
  const quality = options.quality ?? (options.width * options.height > 60_000 ? 'fine' : 'fast');
  rows.push([`images ${options.width}×${options.height}, ${quality}`, rate]);
}
rows.push(['scenes without image 192×128', perSecond(500, (index) => describeScene(1, index))]);
const scenes = Array.from({ length: 200 }, (_, index) => describeScene(1, index));
for (const kind of TEXT_KINDS) {
  const rate = perSecond(200, (index) => makeTexts(scenes[index]!, kind, Random.of(1, index, kind), { count: 10 }));
  rows.push([`texts: ${kind}`, 10 * rate]);
}
process.stdout.write('| per second and core | |\n|---|---|\n');
for (const [what, rate] of rows) process.stdout.write(`| ${what} | ${rate.toFixed(rate < 100 ? 1 : 0)} |\n`);

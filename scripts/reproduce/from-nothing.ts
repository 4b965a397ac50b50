/**
 * Trains a model from nothing in a few minutes on one core, with the command line: renders 2,000 small scenes, trains a
 * small network on them from random initial values, compares it with an untrained network on unseen scenes, and draws its
 * detections and training curves. An interrupted call can be repeated and resumes.
 *
 *     npm run reproduce:from-nothing
 *     npm run reproduce:from-nothing -- --out runs/from-nothing --threads 2
 */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import sharp from 'sharp';
import { generateScene, makeTexts, Random } from '../../src/scenes/index.ts';
import { readConfigFile } from '../../src/train/config/config-file.ts';
import { Training } from '../../src/train/run/training.ts';
import { mdetr } from './built-command.ts';

const { values: options } = parseArgs({
  options: {
    out: { type: 'string', default: 'runs/from-nothing' },
    threads: { type: 'string', default: '1' },
  },
});
const { out, threads } = options;
const root = fileURLToPath(new URL('../..', import.meta.url));
const config = join(root, 'configs/scenes/from-nothing.json');
const settings = { scenes: join(out, 'scenes'), run: join(out, 'run'), untrained: join(out, 'untrained') };

/** Metrics of a model in the scenes benchmark, by name. */
const measure = (model: string): Readonly<Record<string, number>> => {
  const file = join(out, 'metrics.tmp.json');
  mdetr('evaluate', config, '--model', model, '--threads', threads, '--json', file);
  const { results } = JSON.parse(readFileSync(file, 'utf8')) as { results: { metrics: Record<string, number> }[] };
  rmSync(file);
  return results[0]!.metrics;
};

mkdirSync(out, { recursive: true });
const { stages } = await readConfigFile(config);
const { scene, ...evaluate } = stages[0]!.values['evaluate'] as {
  seed: number;
  scene: { width: number; height: number; min_objects: number; max_objects: number };
};
const { width, height, min_objects: minObjects, max_objects: maxObjects } = scene;

const sizeOptions = { '--width': width, '--height': height, '--min-objects': minObjects, '--max-objects': maxObjects };
mdetr(
  'scenes',
  '--out',
  settings.scenes,
  '--images',
  '2000',
  '--seed',
  '5',
  '--texts-per-image',
  '0',
  '--threads',
  threads,
  ...Object.entries(sizeOptions).flatMap(([name, value]) => [name, String(value)]),
);
const datasets = `datasets=${JSON.stringify([{ scenes: settings.scenes }])}`;
mdetr('train', config, '--output-dir', settings.run, '--set', datasets, '--threads', threads, '--resume');

const untrained = await Training.open({ ...stages.at(-1)!.values, datasets: [{ scenes: settings.scenes }] });
await untrained.saveModel(settings.untrained);
await untrained.dispose();

const model = join(settings.run, stages.at(-1)!.name, 'last');
const [before, after] = [measure(settings.untrained), measure(model)];

// The first scene of the evaluation, with its detections drawn.
const seen = generateScene(evaluate.seed, 0, { width: 4 * width, height: 4 * height, minObjects, maxObjects });
const [text] = makeTexts(seen, 'caption', Random.of(evaluate.seed, 'image'), { minPhrases: 1, maxPhrases: 1 });
if (text === undefined) throw new Error('internal: a scene without texts');
const [image, boxes] = [join(out, 'scene.png'), join(out, 'boxes.png')];
await sharp(seen.image.data, { raw: { width: seen.image.width, height: seen.image.height, channels: 3 } })
  .png()
  .toFile(image);
process.stdout.write(
  mdetr('detect', image, '--caption', text.text, '--model', model, '--threshold', '0.6', '--out', boxes),
);
process.stdout.write(mdetr('plot', settings.run, '--smooth', '0.8', '--out', join(out, 'curves.svg')));

const SHOWN_METRICS = ['phrase Recall@1', 'phrase Recall@5', 'phrase mean IoU', 'referring precision@1', 'box AP@50'];
const row = (name: string, ...cells: readonly (string | number)[]): string =>
  [name.padEnd(24), ...cells.map((cell) => (typeof cell === 'number' ? cell.toFixed(3) : cell).padStart(10))].join('');
console.log(
  [row('', 'untrained', 'trained'), ...SHOWN_METRICS.map((name) => row(name, before[name]!, after[name]!))].join('\n'),
);
writeFileSync(join(out, 'metrics.json'), `${JSON.stringify({ untrained: before, trained: after }, null, 2)}\n`);

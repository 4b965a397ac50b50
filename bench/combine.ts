/**
 * Throughput of the combination on one core: generated images with 30 texts each, one to four boxes per text.
 *
 *     npx tsx bench/combine.ts [IMAGES]
 */
import { performance } from 'node:perf_hooks';
import type { CocoRow } from '../src/data/format/coco-format.ts';
import type { BoxXywh } from '../src/geometry/boxes.ts';
import { COMBINE_DEFAULTS, combineTexts } from '../src/datasets/combine/combine-texts.ts';
import { Random } from '../src/random/random.ts';

const TEXTS = 30;
const WORDS = 'a man in red coat and his dog near the wooden table under blue sky with two white t-shirts'.split(' ');
const images = Number(process.argv[2] ?? 10_000);

const random = Random.of(1, 'combine');
const below = (limit: number): number => random.below(limit);

/** Objects at random places, and texts that speak of one to four of them, so that texts conflict as in real data. */
const imageTexts = (): CocoRow[] => {
  const objects = Array.from({ length: 12 }, (): BoxXywh => [below(500), below(350), 20 + below(120), 20 + below(120)]);
  return Array.from({ length: TEXTS }, (_, t) => {
    const words = Array.from({ length: 4 + below(6) }, () => WORDS[below(WORDS.length)]!);
    const caption = words.join(' ');
    return {
      image: { id: t, file_name: 'a.jpg', width: 640, height: 480, caption, tokens_negative: [[0, words[0]!.length]] },
      annotations: Array.from({ length: 1 + below(4) }, () => ({
        image_id: t,
        bbox: objects[below(objects.length)]!,
        tokens_positive: [[0, words[0]!.length] as const],
      })),
    };
  });
};

const all = Array.from({ length: images }, imageTexts);
for (const overlap of ['iou', 'giou'] as const) {
  const start = performance.now();
  const cpu = process.cpuUsage();
  let sentences = 0;
  for (const texts of all) sentences += combineTexts(texts, { overlap }).length;
  const seconds = (performance.now() - start) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  const cpuSeconds = (user + system) / 1e6;
  process.stdout.write(
    `${overlap} > ${COMBINE_DEFAULTS.maxOverlap}: ${images} images, ${images * TEXTS} texts -> ${sentences} sentences ` +
      `in ${seconds.toFixed(2)} s (${cpuSeconds.toFixed(2)} s of processor time): ` +
      `${Math.round(images / cpuSeconds)} images, ${Math.round((images * TEXTS) / cpuSeconds)} texts per second and core\n`,
  );
}

/**
 * Throughput of combining captions on one core: generated images with 30 captions each, one to four boxes per caption.
 *
 *     npx tsx bench/combine.ts [IMAGES]
 */
import { performance } from 'node:perf_hooks';
import type { CocoRow } from '../src/data/format/coco-format.ts';
import type { BoxXywh } from '../src/geometry/boxes.ts';
import { COMBINE_DEFAULTS, combineCaptions } from '../src/datasets/combine/combine-captions.ts';
import { Random } from '../src/random/random.ts';

const CAPTIONS_PER_IMAGE = 30;
const WORDS = 'a man in red coat and his dog near the wooden table under blue sky with two white t-shirts'.split(' ');
const images = Number(process.argv[2] ?? 10_000);

const random = Random.of(1, 'combine');
const below = (limit: number): number => random.below(limit);

/** Captions of an image that refer to one to four of 12 random objects, so that captions conflict as in real data. */
const randomCaptions = (): CocoRow[] => {
  const objects = Array.from({ length: 12 }, (): BoxXywh => [below(500), below(350), 20 + below(120), 20 + below(120)]);
  return Array.from({ length: CAPTIONS_PER_IMAGE }, (_, index) => {
    const words = Array.from({ length: 4 + below(6) }, () => WORDS[below(WORDS.length)]!);
    const caption = words.join(' ');
    return {
      image: {
        id: index,
        file_name: 'a.jpg',
        width: 640,
        height: 480,
        caption,
        tokens_negative: [[0, words[0]!.length]],
      },
      annotations: Array.from({ length: 1 + below(4) }, () => ({
        image_id: index,
        bbox: objects[below(objects.length)]!,
        tokens_positive: [[0, words[0]!.length] as const],
      })),
    };
  });
};

const all = Array.from({ length: images }, randomCaptions);
for (const overlap of ['iou', 'giou'] as const) {
  const start = performance.now();
  const cpu = process.cpuUsage();
  let combined = 0;
  for (const captions of all) combined += combineCaptions(captions, { overlap }).length;
  const seconds = (performance.now() - start) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  const cpuSeconds = (user + system) / 1e6;
  process.stdout.write(
    `${overlap} > ${COMBINE_DEFAULTS.maxOverlap}: ${images} images, ${images * CAPTIONS_PER_IMAGE} captions -> ${combined} combined captions ` +
      `in ${seconds.toFixed(2)} s (${cpuSeconds.toFixed(2)} s of processor time): ` +
      `${Math.round(images / cpuSeconds)} images, ${Math.round((images * CAPTIONS_PER_IMAGE) / cpuSeconds)} captions per second and core\n`,
  );
}

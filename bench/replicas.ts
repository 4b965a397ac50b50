/**
 * Speedup of data-parallel replicas: image-text pairs per second of the scenes network when the batches of a step are
 * divided among 1, 2, 4 … replicas with one thread each, compared with one replica that uses all cores for every operation.
 * The measurements alternate.
 *
 *     npm run bench:replicas [-- --rounds 2 --steps 12 --images 2]
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { readConfigFile } from '../src/train/config/config-file.ts';
import { parseTrainConfig } from '../src/train/config/config.ts';
import { runReplicas } from '../src/train/run/replicas.ts';

const { values: options } = parseArgs({
  options: {
    rounds: { type: 'string', default: '2' },
    steps: { type: 'string', default: '12' },
    images: { type: 'string', default: '2' },
  },
});
const [rounds, steps, images] = [options.rounds, options.steps, options.images].map(Number) as [number, number, number];
const cores = availableParallelism();
/** Steps that are not measured, until all threads have started and memory is allocated. */
const WARM_UP_STEPS = 3;

interface Division {
  readonly replicas: number;
  readonly threads: number;
}
const divisions: readonly Division[] = [
  { replicas: 1, threads: cores },
  ...[1, 2, 4, 8, 16, 32, 64].filter((replicas) => replicas <= cores).map((replicas) => ({ replicas, threads: 1 })),
];
const accumulate = Math.max(4, ...divisions.map(({ replicas }) => replicas));

/** Pairs per second after the warm-up. */
const measure = async ({ replicas, threads }: Division): Promise<number> => {
  const folder = mkdtempSync(join(tmpdir(), 'mdetr-bench-'));
  const file = await readConfigFile('configs/scenes/learned-queries.json', [
    'datasets=[{"scenes":{"images":64,"width":144,"height":96}}]',
    `output_dir=${JSON.stringify(folder)}`,
    `batch_size=${images}`,
    `accumulate=${accumulate}`,
    `replicas=${replicas}`,
    `threads=${threads}`,
    `max_steps=${WARM_UP_STEPS + steps}`,
    'num_workers=0',
  ]);
  const config = parseTrainConfig(file.stages.find(({ name }) => name === 'main')!.values);
  let startedMs = 0;
  let endedMs = 0;
  const onStep = (step: number): void => {
    if (step === WARM_UP_STEPS) startedMs = performance.now();
    endedMs = performance.now();
  };
  try {
    await runReplicas({ ...config, save_every: 1e9 }, { observer: { onStep } });
  } finally {
    rmSync(folder, { recursive: true });
  }
  return (steps * accumulate * images * config.texts_per_image) / ((endedMs - startedMs) / 1000);
};

const found = divisions.map((): number[] => []);
for (let round = 0; round < rounds; round++)
  for (const [index, division] of divisions.entries()) {
    found[index]!.push(await measure(division));
    process.stderr.write(
      `round ${round + 1}, ${JSON.stringify(division)}: ${found[index]!.at(-1)!.toFixed(1)} pairs/s\n`,
    );
  }

const best = found.map((values) => Math.max(...values));
console.log(
  `${cores} cores, steps of ${accumulate * images} images × 4 captions at 144×96; images are rendered between the steps`,
);
for (const [index, { replicas, threads }] of divisions.entries())
  console.log(
    `${replicas} replicas × ${threads} threads: ${best[index]!.toFixed(1)} pairs/s, ${(best[index]! / best[0]!).toFixed(2)} of one replica on all cores`,
  );

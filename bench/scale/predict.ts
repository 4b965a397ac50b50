/**
 * Predicted step times and efficiency of training for 1 to 256 workers, and what the official pre-training would take:
 *
 *     npx tsx bench/scale/predict.ts [--svg docs/images/scale.svg]
 *
 * Prints the tables of docs/scale.md and draws its curves. Every number that goes in can be given: rows per second of a GPU
 * and of a CPU host, the exchange of a CPU host in MB/s, milliseconds of a small all-reduce, and the size of the gradients.
 */
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { drawSheet, type SheetLine } from '../../src/cli/plot/curve-sheet.ts';
import { ETHERNET, predictStep, type Cluster, type Exchange, type Network, type Workload } from './step-model.ts';

const { values: options } = parseArgs({
  options: {
    svg: { type: 'string' },
    'gpu-rows': { type: 'string', default: '3.0' },
    'host-rows': { type: 'string', default: '2.1' },
    'exchange-mb': { type: 'string', default: '956' },
    'round-ms': { type: 'string', default: '0.01' },
    'gradient-mb': { type: 'string', default: '740' },
    rows: { type: 'string', default: '1300000' },
    epochs: { type: 'string', default: '40' },
    'gpu-dollars': { type: 'string', default: '2.5' },
    'host-dollars': { type: 'string', default: '1.5' },
  },
});
const number = (name: keyof typeof options): number => Number(options[name]);
const WORKERS = [1, 2, 4, 8, 16, 32, 64, 128, 256];
/** Rows of a step of the official pre-training: 32 GPUs with two each. */
const STEP_ROWS = 64;
const gradientBytes = number('gradient-mb') * 1e6;

/** A worker that computes `rows` rows of a step, at a rate in rows per second. */
const workloadOf = (name: string, rows: number, rate: number): Workload => ({
  name,
  batches: rows,
  batchSeconds: 1 / rate,
  updateSeconds: 0,
  gradientBytes,
});
const network = (name: string, gbits: number, delaySeconds: number): Network => ({
  name,
  bitsPerSecond: gbits * 1e9,
  delaySeconds,
  ...ETHERNET,
});
const hostExchange: Exchange = {
  bytesPerSecond: number('exchange-mb') * 1e6,
  roundSeconds: number('round-ms') / 1000,
};
/** Sums in the memory of GPUs are faster than any of these networks. */
const gpuExchange: Exchange = { bytesPerSecond: 1e12, roundSeconds: 20e-6 };

const unlimitedExchange: Exchange = { ...hostExchange, bytesPerSecond: 1e12 };

const cpuClusters: readonly Cluster[] = [10, 25, 100].map((gbits) => ({
  name: `CPU hosts, ${gbits} Gb/s`,
  network: network('', gbits, 30e-6),
  exchange: hostExchange,
}));
const nvlink = {
  workersPerHost: 8,
  network: { name: 'NVLink', bitsPerSecond: 8 * 150e9, delaySeconds: 5e-6, payload: 1, segmentBytes: 1e9 },
  exchange: gpuExchange,
};
const gpuClusters: readonly Cluster[] = [10, 100].map((gbits) => ({
  name: `GPUs, NVLink, ${gbits} Gb/s`,
  network: network('', gbits, 10e-6),
  exchange: gpuExchange,
  inside: nvlink,
}));

const [gpu, host] = [number('gpu-rows'), number('host-rows')];
const series = [
  ...cpuClusters.map((cluster) => ({ cluster, workload: workloadOf('2 rows', 2, host) })),
  ...gpuClusters.map((cluster) => ({ cluster, workload: workloadOf('2 rows', 2, gpu) })),
];
console.log(`| two rows a worker and step | ${WORKERS.join(' | ')} |\n|---|${WORKERS.map(() => '---|').join('')}`);
for (const { cluster, workload } of series)
  console.log(
    `| ${cluster.name} | ${WORKERS.map((workers) => {
      const { total, efficiency } = predictStep(workload, workers, cluster);
      return `${total.toFixed(2)} s, ${Math.round(100 * efficiency)} %`;
    }).join(' | ')} |`,
  );

/** Hours of the pre-training with steps of 64 rows, which workers share. */
const hoursOf = (cluster: Cluster, workers: number, rate: number): number => {
  const { total } = predictStep(workloadOf('', STEP_ROWS / workers, rate), workers, cluster);
  return ((number('rows') * number('epochs')) / STEP_ROWS) * (total / 3600);
};
console.log(
  '\n| pre-training, steps of 64 rows | workers | hours | worker-hours | efficiency | dollars |\n|---|---|---|---|---|---|',
);
for (const [clusters, rate, counts, dollars] of [
  [gpuClusters, gpu, [8, 32], number('gpu-dollars')],
  [cpuClusters, host, [8, 32, 64], number('host-dollars')],
] as const)
  for (const cluster of clusters)
    for (const workers of counts) {
      const hours = hoursOf(cluster, workers, rate);
      const alone = hoursOf(cluster, 1, rate);
      console.log(
        `| ${cluster.name} | ${workers} | ${Math.round(hours)} | ${Math.round(hours * workers).toLocaleString('en-US')} | ${Math.round((100 * alone) / hours / workers)} % | ${Math.round(hours * workers * dollars).toLocaleString('en-US')} |`,
      );
    }

if (options.svg !== undefined) {
  const unlimited = cpuClusters.map((cluster) => ({
    cluster: { ...cluster, exchange: unlimitedExchange },
    workload: workloadOf('2 rows', 2, host),
  }));
  type Item = (typeof series)[number];
  const linesOf = (items: readonly Item[], value: (item: Item, workers: number) => number): SheetLine[] =>
    items.map((item) => ({
      run: item.cluster.name,
      points: WORKERS.map((workers) => [Math.log2(workers), value(item, workers)] as const),
      dash: item.cluster.exchange === unlimitedExchange ? 'dashed' : 'solid',
    }));
  const lines = (value: (item: Item, workers: number) => number): SheetLine[] => [
    ...linesOf(series, value),
    ...linesOf(unlimited, value),
  ];
  const efficiency = lines(({ cluster, workload }, workers) => predictStep(workload, workers, cluster).efficiency);
  const rate = lines(({ cluster, workload }, workers) => {
    const { total } = predictStep(workload, workers, cluster);
    return (workload.batches * workers) / total;
  });
  const seconds = lines(({ cluster, workload }, workers) => predictStep(workload, workers, cluster).total);
  const sheet = drawSheet({
    panels: [
      { title: 'efficiency, two rows a worker and step', lines: efficiency, scale: 'linear' },
      { title: 'seconds of a step', lines: seconds, scale: 'linear' },
      { title: 'rows a second, all workers', lines: rate, scale: 'logarithmic' },
    ],
    runs: series.map(({ cluster }) => cluster.name),
    marks: [],
    xName: 'workers, as a power of two',
  });
  writeFileSync(options.svg, sheet);
}

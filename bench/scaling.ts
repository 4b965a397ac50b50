/**
 * Weak scaling of training under MPI: step times of one process and of several, each with one thread and the same number of
 * batches, in turns. Prints the speedup, the fraction of a step in which processes wait for each other, and how a plain copy
 * of memory scales with as many threads, which bounds what is limited by memory.
 *
 *     npm run bench:scaling -- growth [...]     growth of inference with its inputs: another bench, bench/growth.ts
 *     npm run bench:scaling [-- --size scenes|r101|small --processes 2 --batches 4 --steps 6 --rounds 2 --mpi openmpi]
 *
 * `--mbits 200` gives each process a host of its own, a network namespace with that bandwidth (root, Open MPI).
 */
import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { Worker } from 'node:worker_threads';
import { NativeRuntime } from '../src/engine/runtime/native/native-runtime.ts';
import { ProcessGroup } from '../src/train/parallel/mpi/process-group.ts';
import { NetworkHosts } from '../test/support/network-hosts.ts';
import { MpiLauncher } from './launch.ts';
import { median } from './median.ts';
import { makeCase, type Size } from './training/cases.ts';

if (process.argv[2] === 'growth') {
  process.argv.splice(2, 1);
  await import('./growth.ts');
  process.exit();
}

const { values: options } = parseArgs({
  options: {
    size: { type: 'string', default: 'scenes' },
    processes: { type: 'string', default: '2' },
    batches: { type: 'string', default: '4' },
    steps: { type: 'string', default: '6' },
    rounds: { type: 'string', default: '2' },
    mpi: { type: 'string', default: '' },
    messages: { type: 'boolean', default: false },
    mbits: { type: 'string' },
    child: { type: 'boolean', default: false },
  },
});
const [processes, batchCount, steps, rounds] = [options.processes, options.batches, options.steps, options.rounds].map(
  Number,
) as [number, number, number, number];
const WARM_UP_STEPS = 1;

/** Times of a step in milliseconds: all of it, and the wait for other processes. */
interface StepTimes {
  readonly wholeMs: number;
  readonly exchangeMs: number;
}

/** Trains in this process, and prints the times as JSON. */
const measure = async (): Promise<void> => {
  const group = await ProcessGroup.join();
  const { trainer, batches } = await makeCase(options.size as Size, new NativeRuntime({ threads: 1 }), {
    threads: 1,
    isWhole: true,
    communicator: group?.communicator,
  });
  const own = Array.from({ length: batchCount }, (_, index) => batches[index % batches.length]!);
  const times: StepTimes[] = [];
  for (let step = 0; step < WARM_UP_STEPS + steps; step++) {
    await group?.communicator.barrier();
    const began = performance.now();
    const { timing } = await trainer.step(own[0]!, ...own.slice(1));
    if (step >= WARM_UP_STEPS) times.push({ wholeMs: performance.now() - began, exchangeMs: timing.exchangeMs });
  }
  if (group === undefined || group.rank === 0) process.stdout.write(`${JSON.stringify(times)}\n`);
  await trainer.dispose();
  await group?.leave();
};

const COPIED_BYTES = 2 ** 28;
const COPY = `const { parentPort } = require('node:worker_threads');
const [from, to] = [new Uint8Array(${COPIED_BYTES}).fill(1), new Uint8Array(${COPIED_BYTES})];
to.set(from);
parentPort.on('message', (times) => { for (let k = 0; k < times; k++) to.set(from); parentPort.postMessage(0); });
parentPort.postMessage(0);`;

/** Bytes per second that a number of threads copy together. */
const copyRate = async (threads: number): Promise<number> => {
  const workers = Array.from({ length: threads }, () => new Worker(COPY, { eval: true }));
  const answers = (): Promise<unknown> =>
    Promise.all(workers.map((worker) => new Promise((resolve) => worker.once('message', resolve))));
  await answers();
  const times = 8;
  const began = performance.now();
  const done = answers();
  for (const worker of workers) worker.postMessage(times);
  await done;
  const seconds = (performance.now() - began) / 1000;
  await Promise.all(workers.map((worker) => worker.terminate()));
  return (threads * times * COPIED_BYTES) / seconds;
};

/** Standard output of a number of processes, each on a host of its own. */
const runOnHosts = (hosts: NetworkHosts, count: number, command: readonly string[]): string => {
  const { agent, network } = hosts;
  const settings = { plm_rsh_agent: agent, btl_tcp_if_include: network.subnet, oob_tcp_if_include: network.subnet };
  const launcher = ['mpirun', '--hostfile', network.hostFile, '--map-by', 'node', '--bind-to', 'none'];
  for (const [key, value] of Object.entries(settings)) launcher.push('--mca', key, value);
  const [program, args] = hosts.onFirst(...(count === 1 ? [] : launcher), ...command);
  const env = { ...process.env, OMPI_ALLOW_RUN_AS_ROOT: '1', OMPI_ALLOW_RUN_AS_ROOT_CONFIRM: '1' };
  return execFileSync(program, args, { encoding: 'utf8', env });
};

const compare = async (): Promise<void> => {
  const launcher = new MpiLauncher(options.mpi);
  const hosts = options.mbits === undefined ? undefined : new NetworkHosts(processes, { mbits: Number(options.mbits) });
  try {
    await compareOn(launcher, hosts);
  } finally {
    hosts?.remove();
  }
};

const compareOn = async (launcher: MpiLauncher, hosts: NetworkHosts | undefined): Promise<void> => {
  const settings = (['size', 'batches', 'steps'] as const).flatMap((name) => [`--${name}`, options[name]]);
  const command = [process.execPath, '--import', 'tsx', fileURLToPath(import.meta.url), '--child', ...settings];
  const env = options.messages ? { MDETR_MPI_SHARED_MEMORY: '0' } : {};
  const outputOf = (count: number): string =>
    hosts === undefined ? launcher.run(count, command, env) : runOnHosts(hosts, count, command);
  const run = (count: number): StepTimes[] => JSON.parse(outputOf(count)) as StepTimes[];
  const [one, several]: [StepTimes[], StepTimes[]] = [[], []];
  const [oneCopies, severalCopy]: [number[], number[]] = [[], []];
  for (let round = 0; round < rounds; round++) {
    one.push(...run(1));
    several.push(...run(processes));
    oneCopies.push(await copyRate(1));
    severalCopy.push(await copyRate(processes));
  }
  const wholeMs = (times: readonly StepTimes[]): number => median(times.map((time) => time.wholeMs));
  const speedup = (processes * wholeMs(one)) / wholeMs(several);
  const waiting = median(several.map((time) => time.exchangeMs / time.wholeMs));
  const copies = Math.max(...severalCopy) / Math.max(...oneCopies);
  const say = (text: string): void => void process.stdout.write(`${text}\n`);
  say(`${options.size}, ${batchCount} batches a process and step, one thread a process`);
  say(`step of 1 process: ${wholeMs(one).toFixed(0)} ms, of ${processes}: ${wholeMs(several).toFixed(0)} ms`);
  say(`speedup ${speedup.toFixed(2)}; waiting for other processes: ${(100 * waiting).toFixed(1)} % of a step`);
  say(`a copy of memory by ${processes} threads is ${copies.toFixed(2)} × as fast as by one`);
};

await (options.child ? measure() : compare());

/**
 * Training on two hosts of a limited network beside what bench/scale/step-model.ts predicts. The hosts are network namespaces
 * of this machine with one core each; `tbf` limits their bandwidth, and `netem`, or else a relay between tun devices
 * (bench/scale/delay-relay.c), delays their packets. Needs root, Open MPI, `ip`, `tc`, and `cc` for the relay.
 *
 *     npm run build && npx tsx bench/scale/measure.ts [--mbits 1000,200,100] [--delay-ms 20] [--batches 2] [--steps 9]
 *
 * The prediction knows the steps of two processes that train alone, one on each host, the time of an all-reduce on the unlimited
 * network, and the limits; it is made before the run that it is compared with (target: within 15 %).
 */
import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { readConfigFile } from '../../src/train/config/config-file.ts';
import { readRunState } from '../../src/train/run/run-state.ts';
import { NetworkHosts, type HostNetwork } from '../../test/support/network-hosts.ts';
import { median } from '../median.ts';
import { ETHERNET, predictStep, ROUND_BYTES, type Exchange, type Workload } from './step-model.ts';

const { values: options } = parseArgs({
  options: {
    mbits: { type: 'string', default: '1000,200,100' },
    'delay-ms': { type: 'string', default: '20' },
    batches: { type: 'string', default: '2' },
    steps: { type: 'string', default: '9' },
  },
});
const rates = options.mbits.split(',').map(Number);
const [delayMs, batches, steps] = [options['delay-ms'], options.batches, options.steps].map(Number) as [
  number,
  number,
  number,
];
/** Steps that are not measured, until all threads have started and memory is allocated. */
const WARM_UP_STEPS = 3;
/** Bits per second of a network without a limit: more than the exchange can use. */
const UNLIMITED = 1e12;

const path = (name: string): string => fileURLToPath(new URL(`../../${name}`, import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'mdetr-scale-'));
let runs = 0;

/** Writes the configuration of a run of `hosts` processes with `batches` batches each: the main stage of the scenes network. */
const configOf = async (hosts: number, seed = 1): Promise<{ readonly config: string; readonly output: string }> => {
  const output = join(folder, `run-${runs++}`);
  const file = await readConfigFile(path('configs/scenes/learned-queries.json'), [
    'datasets=[{"scenes":{"images":64,"width":144,"height":96}}]',
    `output_dir=${JSON.stringify(output)}`,
    `tokenizer=${JSON.stringify(path('configs/scenes/plain-words'))}`,
    'batch_size=2',
    `accumulate=${hosts * batches}`,
    'threads=1',
    'num_workers=0',
    'log_every=1',
    'save_every=1000000',
    `max_steps=${WARM_UP_STEPS + steps}`,
    `seed=${seed}`,
  ]);
  const config = `${output}.json`;
  writeFileSync(config, JSON.stringify(file.stages.find(({ name }) => name === 'main')!.values));
  return { config, output };
};

/** Runs a command to its end, and returns what it printed. */
const run = (command: string, args: readonly string[], more: NodeJS.ProcessEnv = {}): Promise<string> =>
  new Promise((resolve, reject) => {
    const env = { ...process.env, OMPI_ALLOW_RUN_AS_ROOT: '1', OMPI_ALLOW_RUN_AS_ROOT_CONFIRM: '1', ...more };
    const child = spawn(command, args, { cwd: path(''), env });
    let output = '';
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (chunk: Buffer) => (output += chunk.toString()));
    child.on('error', reject);
    child.on('close', (status) => {
      if (status === 0) resolve(output);
      else reject(new Error(`${command} ended with status ${String(status)}: ${output.slice(-2000)}`));
    });
  });

/** Seconds of every step, from the log of a run. */
const stepSeconds = (output: string): number[] => {
  const lines = readFileSync(join(output, 'log.jsonl'), 'utf8').trim().split('\n');
  const steps = lines
    .map((line) => JSON.parse(line) as { kind: string; pairs: number; pairs_per_s: number })
    .filter(({ kind }) => kind === 'train');
  const seconds = steps.map(({ pairs, pairs_per_s: rate }, i) => (pairs - (steps[i - 1]?.pairs ?? 0)) / rate);
  return seconds.slice(WARM_UP_STEPS);
};

const mdetr = `${process.execPath} ${path('dist/cli/main.js')}`;

/** Seconds of a step of two processes on two hosts, by the recipe for hosts without a scheduler. */
const trainOnHosts = async (hosts: NetworkHosts, { hostFile, subnet }: HostNetwork): Promise<number> => {
  const { config, output } = await configOf(2);
  const recipe = [path('deploy/mpirun-train.sh'), hostFile, config];
  const [command, args] = hosts.onFirst('bash', ...recipe);
  await run(command, args, { MDETR: mdetr, MDETR_RSH: hosts.agent, MDETR_NETWORK: subnet });
  return median(stepSeconds(output));
};

/** Seconds of a step of the slower one of two processes, each alone on its host. */
const trainAlone = async (hosts: NetworkHosts): Promise<{ readonly seconds: number; readonly bytes: number }> => {
  const configs = [await configOf(1, 1), await configOf(1, 2)];
  await Promise.all(configs.map(({ config }, i) => run(...hosts.on(i + 1, ...mdetr.split(' '), 'train', config))));
  const outputs = configs.map(({ output }) => output);
  const { trainer } = await readRunState(join(outputs[0]!, 'state.safetensors'));
  const values = [...trainer.parameters].reduce((sum, [, { data }]) => sum + data.length, 0);
  const [first, second] = outputs.map(stepSeconds) as [number[], number[]];
  // Hosts wait for the slower one in each step: scenes take different times.
  return { seconds: median(first.map((seconds, i) => Math.max(seconds, second[i]!))), bytes: 4 * values };
};

/** The all-reduce of a single number, and of the gradients. */
const exchangeOf = async (hosts: NetworkHosts, { hostFile, subnet }: HostNetwork, bytes: number): Promise<Exchange> => {
  const mca = { plm_rsh_agent: hosts.agent, btl_tcp_if_include: subnet, oob_tcp_if_include: subnet };
  const launcher = ['mpirun', '--hostfile', hostFile, '--map-by', 'node', '--bind-to', 'none'];
  for (const [key, value] of Object.entries(mca)) launcher.push('--mca', key, value);
  const worker = [process.execPath, '--import', 'tsx', path('bench/scale/exchange.ts'), '4', String(bytes)];
  const output = await run(...hosts.onFirst(...launcher, ...worker));
  const [small, large] = Array.from(output.matchAll(/^seconds \d+ (\S+)$/gm), ([, seconds]) => Number(seconds));
  const rounds = Math.ceil(bytes / ROUND_BYTES);
  return { roundSeconds: small!, bytesPerSecond: bytes / (large! - rounds * small!) };
};

const print = (what: string, predicted: number, measured: number): void =>
  console.log(
    `${what.padEnd(38)} ${predicted.toFixed(3).padStart(9)} ${measured.toFixed(3).padStart(9)} ${(100 * (measured / predicted - 1)).toFixed(1).padStart(7)} %`,
  );

const missing = NetworkHosts.missing();
if (missing !== undefined) {
  console.log(`skipped: ${missing}`);
  process.exit(0);
}
const hosts = new NetworkHosts(2);
try {
  const alone = await trainAlone(hosts);
  const exchange = await exchangeOf(hosts, hosts.network, alone.bytes);
  const workload: Workload = {
    name: 'scenes',
    batches,
    batchSeconds: alone.seconds / batches,
    updateSeconds: 0,
    gradientBytes: alone.bytes,
  };
  const predict = (bitsPerSecond: number, delaySeconds: number, own = exchange, form = ETHERNET): number => {
    const network = { name: '', bitsPerSecond, delaySeconds, ...form };
    return predictStep(workload, 2, { name: '', network, exchange: own }).total;
  };
  console.log(
    `one process: ${alone.seconds.toFixed(3)} s a step of ${batches} batches, ${(alone.bytes / 1e6).toFixed(1)} MB of gradients; all-reduce of two hosts: ${(exchange.bytesPerSecond / 1e6).toFixed(0)} MB/s, ${(1000 * exchange.roundSeconds).toFixed(2)} ms for a single number`,
  );
  console.log('two hosts, seconds of a step            predicted  measured     error');
  print('no limit', predict(UNLIMITED, 0), await trainOnHosts(hosts, hosts.network));
  for (const mbits of rates) {
    hosts.limit({ mbits });
    print(`${mbits} Mbit/s (tbf)`, predict(mbits * 1e6, 0), await trainOnHosts(hosts, hosts.network));
  }
  hosts.limit({});
  if (hosts.hasNetem()) {
    hosts.limit({ delayMs });
    print(`${delayMs} ms (netem)`, predict(UNLIMITED, delayMs / 1000), await trainOnHosts(hosts, hosts.network));
  } else {
    const relay = join(folder, 'delay-relay');
    execFileSync('cc', ['-O2', '-o', relay, path('bench/scale/delay-relay.c')]);
    const direct = await hosts.relay(relay, 0);
    const own = await exchangeOf(hosts, direct, alone.bytes);
    await direct.stop();
    console.log(
      `this kernel has no netem: packets go through the relay, which itself adds ${(500 * (own.roundSeconds - exchange.roundSeconds)).toFixed(2)} ms to a message; its all-reduce: ${(own.bytesPerSecond / 1e6).toFixed(0)} MB/s`,
    );
    const delayed = await hosts.relay(relay, delayMs);
    const predicted = predict(UNLIMITED, delayMs / 1000, own, { payload: 1, segmentBytes: 8948 });
    print(`${delayMs} ms (relay)`, predicted, await trainOnHosts(hosts, delayed));
    await delayed.stop();
  }
} finally {
  hosts.remove();
  rmSync(folder, { recursive: true, force: true });
}

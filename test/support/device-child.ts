/**
 * Child process of tests: three training steps on a device, whose programs are also run on the CPU with the same inputs. argv:
 * the device, and the config as JSON. Prints the largest differences of each program's outputs, the losses, and what ran on
 * the CPU, as JSON.
 */
import type { HostTensor } from '../../src/engine/graph/index.ts';
import { createRuntime } from '../../src/engine/runtime/create-runtime.ts';
import { HostValue, hostOf } from '../../src/engine/runtime/host-value.ts';
import type { Placement } from '../../src/engine/runtime/placement.ts';
import type { Runtime, Session, Values } from '../../src/engine/runtime/runtime.ts';
import { parseTrainConfig } from '../../src/train/config/config.ts';
import { BatchMaker } from '../../src/train/data/batch-maker.ts';
import { singleProcess } from '../../src/train/parallel/communicator.ts';
import { createTrainer, startingPoint } from '../../src/train/run/run-start.ts';

/** Largest differences of a program's outputs from the CPU's, relative to the largest absolute value of the output. */
export interface ProgramDifference {
  readonly outputs: number;
  /** Largest difference of the outputs that are gradients or cotangents. */
  readonly gradients: number;
}

export interface DeviceReport {
  readonly programs: Readonly<Record<string, ProgramDifference>>;
  readonly losses: readonly number[];
  /** Losses of the same steps with values that stay on the device between programs. */
  readonly deviceLosses: readonly number[];
  readonly placements: readonly Placement[];
}

const largest = ({ data }: HostTensor): number => {
  let most = 0;
  for (const value of data) most = Math.max(most, Math.abs(Number(value)));
  return most;
};

const largestDifference = (a: HostTensor, b: HostTensor): number => {
  let most = 0;
  // Written so that NaN counts as the largest difference.
  a.data.forEach((value, index) => {
    const difference = Math.abs(Number(value) - Number(b.data[index]));
    if (!(difference <= most)) most = difference;
  });
  return most;
};

/** True gradients of zero are left over by rounding; they are compared with this fraction of the largest gradient. */
const NEGLIGIBLE = 1e-4;

const compare = (cpu: Readonly<Record<string, HostTensor>>, found: Readonly<Record<string, HostTensor>>) => {
  const scaleOfAll = Math.max(...Object.values(cpu).map(largest));
  const worst = { outputs: 0, gradients: 0 };
  for (const [name, value] of Object.entries(cpu)) {
    const kind = name.startsWith('d_') ? 'gradients' : 'outputs';
    const scale = Math.max(largest(value), NEGLIGIBLE * scaleOfAll) || 1;
    worst[kind] = Math.max(worst[kind], largestDifference(value, found[name]!) / scale);
  }
  return worst;
};

const placements: Placement[] = [];
const programs: Record<string, ProgramDifference> = {};
const [, , device, values] = process.argv;
const cpu = await createRuntime({ threads: 1 });
const other = await createRuntime({ device, onPlacement: (placement) => placements.push(placement) });

/** Runs every program on the device, and its first run on the CPU as well. */
const comparing: Runtime = {
  device: other.device,
  load: async (program, options) => {
    // Everything is read, to be compared.
    const read = { ...options, deviceOutputs: [] };
    const [expected, found] = [await cpu.load(program, read), await other.load(program, read)];
    const run = async (feeds: Values): Promise<Record<string, HostTensor>> => {
      const given = Object.fromEntries(Object.entries(feeds).map(([name, value]) => [name, hostOf(name, value)]));
      const results = (await found.run(given as never)) as Record<string, HostTensor>;
      programs[program.name] ??= compare((await expected.run(given as never)) as Record<string, HostTensor>, results);
      return results;
    };
    return {
      program,
      run,
      compute: async (feeds: Values) =>
        Object.fromEntries(Object.entries(await run(feeds)).map(([name, value]) => [name, new HostValue(value)])),
      dispose: async () => {
        await Promise.all([expected.dispose(), found.dispose()]);
      },
    } as Session as never;
  },
};

const config = parseTrainConfig(JSON.parse(values!) as Readonly<Record<string, unknown>>);
const maker = await BatchMaker.open({
  config,
  datasets: config.datasets,
  tokenizer: config.tokenizer!,
  maxTokens: 38,
});
const { batch } = await maker.make({ rows: [1, 4], key: { seed: 2, epoch: 0, pairsBefore: 0 } });
maker.close();
const lossesOn = async (runtime: Runtime): Promise<readonly number[]> => {
  const start = await startingPoint(config, undefined, () => undefined);
  const trainer = await createTrainer(config, start, runtime, 10, singleProcess);
  const losses: number[] = [];
  for (let step = 0; step < 3; step++) losses.push((await trainer.step(batch)).total);
  await trainer.dispose();
  return losses;
};
const losses = await lossesOn(comparing);
const deviceLosses = await lossesOn(await createRuntime({ device }));
const report: DeviceReport = { programs, losses, deviceLosses, placements };
process.stdout.write(`${JSON.stringify(report)}\n`);

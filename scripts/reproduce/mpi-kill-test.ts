/**
 * Kills a random process of training runs under MPI at random moments, by SIGKILL, and resumes them in 1 to 4 processes.
 * Checks after each kill that all processes end within 30 s with a failure, with at most one message of ours, and that the
 * state is whole; at the end, that the weights agree with those of an uninterrupted process.
 *
 *     npm run test:kill-mpi [-- --kills 20 --mpi mpich --seed 1]
 */
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { Random } from '../../src/random/random.ts';
import { readRunState } from '../../src/train/run/run-state.ts';
import { isHere, LAUNCHERS, ranksOf, startTraining, type Launcher } from '../../test/support/mpi-processes.ts';
import { runDifference } from '../../test/support/run-difference.ts';
import { smallValues } from '../../test/support/small-run.ts';

const { values } = parseArgs({
  options: {
    kills: { type: 'string', default: '20' },
    steps: { type: 'string', default: '60' },
    seed: { type: 'string', default: '1' },
    mpi: { type: 'string', default: '' },
  },
});
/** Limit for the end of all processes after a kill. */
const END_SECONDS = 30;

const random = Random.of(Number(values.seed), 'mpi-kills');
const below = (count: number): number => Math.floor(count * random.uniform());

const killRuns = async (launcher: Launcher, folder: string): Promise<string[]> => {
  const faults: string[] = [];
  const steps = Number(values.steps);
  const config = (name: string): string => {
    const file = join(folder, `${name}.json`);
    const run = {
      ...smallValues,
      schedule: 'step',
      accumulate: 4,
      batch_size: 1,
      save_every: 2,
      max_steps: steps,
      output_dir: join(folder, name),
    };
    writeFileSync(file, JSON.stringify(run));
    return file;
  };
  const file = config('killed');
  const state = join(folder, 'killed/state.safetensors');
  let longest = 10_000;
  for (let kill = 0; kill < Number(values.kills); kill++) {
    const processes = 1 + (kill % 4);
    const run = startTraining(launcher, processes, [file, '--resume']);
    const began = performance.now();
    await setTimeout(longest * random.uniform());
    const ranks = ranksOf(file);
    const killed = performance.now();
    const victim = ranks[below(ranks.length)];
    if (victim !== undefined) process.kill(victim, 'SIGKILL');
    const ended = await run;
    const seconds = (performance.now() - killed) / 1000;
    const messages = ended.output.match(/process \d of \d .* has failed/g) ?? [];
    const step = existsSync(state) ? (await readRunState(state)).trainer.step : 0;
    console.log(
      `kill ${kill + 1}: ${processes} processes, after ${((killed - began) / 1000).toFixed(1)} s, ended ${seconds.toFixed(1)} s later ` +
        `with ${String(ended.status)}, ${messages.length} messages, step ${step}`,
    );
    if (victim !== undefined && ended.status === 0) faults.push(`kill ${kill + 1}: ended with 0`);
    if (seconds > END_SECONDS) faults.push(`kill ${kill + 1}: ended after ${seconds.toFixed(0)} s`);
    if (messages.length > 1) faults.push(`kill ${kill + 1}: ${messages.length} messages: ${ended.output}`);
    if (step === steps) {
      rmSync(join(folder, 'killed'), { recursive: true });
      longest = killed - began;
    }
  }
  const last = await startTraining(launcher, 2, [file, '--resume']);
  if (last.status !== 0) faults.push(`the last run failed: ${last.output}`);
  await startTraining(launcher, 1, [config('alone')]);
  const difference = await runDifference(join(folder, 'killed'), join(folder, 'alone'));
  console.log(`largest difference of a weight from an uninterrupted process: ${difference}`);
  if (!(difference < 1e-3)) faults.push(`the weights differ by ${difference}`);
  return faults;
};

for (const launcher of LAUNCHERS.filter(({ command }) => command.endsWith(values.mpi))) {
  if (!isHere(launcher)) {
    console.log(`${launcher.name} is left out: there is no ${launcher.command}`);
    continue;
  }
  console.log(launcher.name);
  const folder = mkdtempSync(join(tmpdir(), 'mdetr-mpi-kill-'));
  try {
    const faults = await killRuns(launcher, folder);
    console.log(faults.length === 0 ? 'no fault' : faults.join('\n'));
    if (faults.length > 0) process.exitCode = 1;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { readRunState } from '../../src/train/run/run-state.ts';
import { makeSharedGroup, ThreadCommunicator } from '../../src/train/parallel/thread-communicator.ts';
import { sumsOf } from '../support/known-sums.ts';
import { isHere, LAUNCHERS, mainPath, mpiEnv, ranksOf, startTraining } from '../support/mpi-processes.ts';
import { runDifference } from '../support/run-difference.ts';
import { projectRoot } from '../support/run-mdetr.ts';
import { smallValues } from '../support/small-run.ts';

vi.setConfig({ testTimeout: 280_000, hookTimeout: 280_000 });

const root = mkdtempSync(join(tmpdir(), 'mdetr-mpi-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

let runs = 0;
const STEPS = 20;
/** Largest difference of weights after these steps between runs of different numbers of processes. */
const WEIGHTS = 1e-5;
/** Largest difference of gradients, as a fraction of the largest one. */
const GRADIENTS = 1e-6;
const settings = {
  ...smallValues,
  // Rates that do not depend on the number of steps, which a resumed run changes, and those of the official training.
  schedule: 'step',
  lr: 1e-4,
  lr_backbone: 1e-5,
  text_encoder_lr: 5e-5,
  max_steps: STEPS,
  ema: true,
  ema_decay: 0.9,
  dropout: 0.1,
  accumulate: 5,
  batch_size: 1,
};
/** Writes a config with an output folder of its own. */
const configOf = (more: Readonly<Record<string, unknown>> = {}): { file: string; folder: string } => {
  const folder = join(root, `run-${runs++}`);
  const file = `${folder}.json`;
  writeFileSync(file, JSON.stringify({ ...settings, output_dir: folder, ...more }));
  return { file, folder };
};

/** A validation set of which every process computes a part. */
const validated = {
  datasets_val: [{ scenes: { seed: 6, images: 9, width: 60, height: 40, min_objects: 2, max_objects: 3 } }],
};
const metricsOf = (folder: string): unknown =>
  readFileSync(join(folder, 'log.jsonl'), 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { kind: string; metrics?: unknown })
    .findLast(({ kind }) => kind === 'validation')?.metrics;

/** Runs the command line in this process's only child. */
const trainAlone = (file: string, ...more: readonly string[]): void => {
  const { status, stderr } = spawnSync(process.execPath, [mainPath, 'train', file, ...more], { encoding: 'utf8' });
  expect(status, stderr).toBe(0);
};

/** First moments after the first step: clipped gradients, up to a factor. */
const gradientsOf = async (folder: string): Promise<Map<string, Float32Array>> => {
  const { trainer } = await readRunState(join(folder, 'state.safetensors'));
  expect(trainer.step).toBe(1);
  return new Map([...trainer.moments].map(([name, { first }]) => [name, first]));
};
const largestOf = (values: Iterable<Float32Array>): number => {
  let largest = 0;
  for (const array of values) for (const value of array) largest = Math.max(largest, Math.abs(value));
  return largest;
};

/** A run of one process, and one of two replicas on threads, to compare with. */
let alone = { one: '', replicas: '', firstStep: '' };
beforeAll(() => {
  if (!LAUNCHERS.some(isHere)) return;
  const [one, replicas, firstStep] = [configOf(), configOf({ ...validated, replicas: 2 }), configOf({ max_steps: 1 })];
  for (const { file } of [one, replicas, firstStep]) trainAlone(file);
  alone = { one: one.folder, replicas: replicas.folder, firstStep: firstStep.folder };
});

describe.each(LAUNCHERS)('training under $name', (launcher) => {
  const here = isHere(launcher);
  const named = (text: string): string => (here ? text : `${text} (needs ${launcher.command})`);

  it.skipIf(!here)(named('sums have the bits of threads, by shared memory and by messages'), async () => {
    const child = fileURLToPath(new URL('../support/all-reduce-child.ts', import.meta.url));
    for (const processes of [2, 5]) {
      const threads = makeSharedGroup(processes, 2 ** 18);
      const members = Array.from({ length: processes }, (_, rank) => new ThreadCommunicator(rank, threads));
      const expected = (await Promise.all(members.map(sumsOf))).flatMap((lines, rank) =>
        lines.map((line) => `${rank} ${line}`),
      );
      for (const sharing of ['1', '0']) {
        const command = [...launcher.args, '-n', String(processes), process.execPath, '--import', 'tsx', child];
        const { stdout, stderr } = spawnSync(launcher.command, command, {
          env: { ...mpiEnv, MDETR_MPI_SHARED_MEMORY: sharing },
          encoding: 'utf8',
        });
        expect(stdout.trim().split('\n').sort(), stderr).toEqual(expected.sort());
      }
    }
  });

  it.skipIf(!here)(named('gives the bits of replicas on threads, and a single process up to rounding'), async () => {
    const { file, folder } = configOf(validated);
    const ended = await startTraining(launcher, 2, [file]);
    expect(ended.status, ended.output).toBe(0);
    expect(ended.output).toMatch(new RegExp(`training in 2 processes on 1 host \\(shared memory\\), ${launcher.name}`));
    expect(ended.output.match(/20 steps done/g), ended.output).toHaveLength(1);
    expect(await runDifference(folder, alone.replicas)).toBe(0);
    expect(metricsOf(folder)).toEqual(metricsOf(alone.replicas));
    expect(metricsOf(folder)).toHaveProperty('scenes/phrase_recall_at_1');
    expect(await runDifference(folder, alone.one)).toBeLessThan(WEIGHTS);
  });

  it.skipIf(!here)(named('shares unevenly: gradients and weights are those of one process'), async () => {
    const firstStep = configOf({ max_steps: 1 });
    expect((await startTraining(launcher, 3, [firstStep.file])).status).toBe(0);
    const [expected, found] = [await gradientsOf(alone.firstStep), await gradientsOf(firstStep.folder)];
    const differences = Array.from(expected, ([name, values]) =>
      values.map((value, i) => value - found.get(name)![i]!),
    );
    expect(largestOf(expected.values())).toBeGreaterThan(0);
    expect(largestOf(differences) / largestOf(expected.values())).toBeLessThan(GRADIENTS);
    // Three processes have two batches, two and one.
    const uneven = configOf({ shard_optimizer: true });
    expect((await startTraining(launcher, 3, [uneven.file])).status).toBe(0);
    expect(await runDifference(uneven.folder, alone.one)).toBeLessThan(WEIGHTS);
  });

  it.skipIf(!here)(named('composes with replicas, and resumes in 1, 2, 3 and 4 processes'), async () => {
    const { file, folder } = configOf();
    const until = (steps: number): string[] => ['--set', `max_steps=${steps}`];
    expect((await startTraining(launcher, 2, [file, '--replicas', '2', ...until(4)])).status).toBe(0);
    for (const processes of [1, 2, 3, 4]) {
      const resumed = await startTraining(launcher, processes, [file, '--resume', ...until(4 + 4 * processes)]);
      expect(resumed.status, resumed.output).toBe(0);
    }
    expect(await runDifference(folder, alone.one)).toBeLessThan(WEIGHTS);
  });

  it.skipIf(!here)(
    named('ends all processes with one message when one is killed or stopped, and resumes'),
    async () => {
      for (const signal of ['SIGKILL', 'SIGSTOP'] as const) {
        const { file, folder } = configOf({ max_steps: 100_000, save_every: 2 });
        let victim: number | undefined;
        const timer = setInterval(() => {
          try {
            readFileSync(join(folder, 'state.safetensors'));
          } catch {
            return;
          }
          clearInterval(timer);
          victim = Math.max(...ranksOf(file));
          process.kill(victim, signal);
        }, 50);
        const ended = await startTraining(launcher, 2, [file]);
        clearInterval(timer);
        if (victim !== undefined && ranksOf(file).includes(victim)) process.kill(victim, 'SIGKILL');
        expect(ended.status, ended.output).not.toBe(0);
        // MPICH's launcher kills the others in the moment in which one dies, and names it itself.
        const isNamedByLauncher = launcher.name === 'MPICH' && signal === 'SIGKILL';
        const messages = ended.output.match(/process \d of 2 .* has failed: .*/g) ?? [];
        expect(messages.length, ended.output).toBe(isNamedByLauncher ? 0 : 1);
        if (!isNamedByLauncher)
          expect(messages[0]).toMatch(signal === 'SIGKILL' ? /its process has ended/ : /no sign of life for 8 s/);
        const { trainer } = await readRunState(join(folder, 'state.safetensors'));
        const more = await startTraining(launcher, 2, [file, '--resume', '--set', `max_steps=${trainer.step + 2}`]);
        expect(more.status, more.output).toBe(0);
      }
    },
  );

  it.skipIf(!here)(named('reports a wrong call once, and processes that differ'), async () => {
    const { file } = configOf({ accumulate: 1 });
    const tooMany = await startTraining(launcher, 2, [file]);
    expect(tooMany.status).not.toBe(0);
    expect(tooMany.output.match(/too few for 2 processes/g) ?? [], tooMany.output).toHaveLength(1);
    const different = configOf();
    const script = join(root, `differ-${runs}.sh`);
    writeFileSync(
      script,
      `#!/bin/sh\nexec "${process.execPath}" "${mainPath}" train "${different.file}" --set lr=0.00\${OMPI_COMM_WORLD_RANK:-$PMI_RANK}1\n`,
      { mode: 0o755 },
    );
    const { status, stdout, stderr } = spawnSync(launcher.command, [...launcher.args, '-n', '2', script], {
      env: mpiEnv,
      encoding: 'utf8',
    });
    expect(status).not.toBe(0);
    expect(`${stdout}${stderr}`).toMatch(/process 1 differs from process 0 in the setting lr/);
  });
});

// What the launcher itself does to the processes differs, so these are of one.
const openMpi = LAUNCHERS.find(({ name }) => name === 'Open MPI')!;

describe('a failing host', () => {
  const here = isHere(openMpi);
  const titled = (text: string, missing: string | undefined): string =>
    missing === undefined ? text : `${text} (skipped: ${missing})`;
  const noMpi = here ? undefined : `needs ${openMpi.command}`;
  const without = (command: string): string | undefined =>
    spawnSync(command, ['--version']).status === 0 ? undefined : `needs ${command}`;

  /** Waits until a file is there. */
  const appears = async (file: string): Promise<void> => {
    while (!existsSync(file)) await setTimeout(50);
  };
  const oneMessage = (output: string): string => {
    const messages = output.match(/process \d of 2 .* has failed: .*/g) ?? [];
    expect(messages, output).toHaveLength(1);
    return messages[0]!;
  };
  /** Expects that a state is whole, and that two processes resume it. */
  const resumes = async (file: string, folder: string): Promise<void> => {
    const { trainer } = await readRunState(join(folder, 'state.safetensors'));
    const more = await startTraining(openMpi, 2, [file, '--resume', '--set', `max_steps=${trainer.step + 2}`]);
    expect(more.status, more.output).toBe(0);
  };

  const noLimits = noMpi ?? without('prlimit');
  it.skipIf(noLimits !== undefined)(titled('may run out of address space (ulimit -v)', noLimits), async () => {
    const { file, folder } = configOf({ max_steps: 100_000, save_every: 2 });
    const running = startTraining(openMpi, 2, [file]);
    await appears(join(folder, 'state.safetensors'));
    const victim = Math.max(...ranksOf(file));
    // Nothing more than it has: the next allocation from the system fails.
    spawnSync('prlimit', ['--pid', String(victim), '--as=1000000']);
    const ended = await running;
    expect(ended.status, ended.output).not.toBe(0);
    expect(oneMessage(ended.output)).toMatch(/process 1 of 2/);
    await resumes(file, folder);
  });

  const noMount =
    noMpi ?? (process.getuid?.() === 0 && process.platform === 'linux' ? undefined : 'needs root on Linux');
  it.skipIf(noMount !== undefined)(titled('may have a full disk', noMount), async () => {
    const disk = join(root, 'disk');
    mkdirSync(disk);
    expect(spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=64m', 'tmpfs', disk]).status).toBe(0);
    try {
      const folder = join(disk, 'run');
      const { file } = configOf({ max_steps: 100_000, save_every: 2, output_dir: folder });
      const running = startTraining(openMpi, 2, [file]);
      await appears(join(folder, 'state.safetensors'));
      const filler = join(disk, 'filler');
      expect(() => writeFileSync(filler, new Uint8Array(2 ** 27))).toThrow(/ENOSPC/);
      const ended = await running;
      expect(ended.status, ended.output).not.toBe(0);
      expect(oneMessage(ended.output)).toMatch(/process 0 of 2 .* has failed: .*the disk is full/);
      rmSync(filler);
      await resumes(file, folder);
    } finally {
      spawnSync('umount', ['--lazy', disk]);
    }
  });

  it.skipIf(!here)(
    titled('is told to end by its scheduler (SIGTERM to the recipe): the run is saved', noMpi),
    async () => {
      const { file, folder } = configOf({ max_steps: 100_000, save_every: 1_000_000, log_every: 1 });
      const hosts = join(root, 'localhost');
      writeFileSync(hosts, 'localhost slots=2\n');
      const recipe = spawn('bash', [join(projectRoot, 'deploy/mpirun-train.sh'), hosts, file], {
        env: { ...mpiEnv, MDETR: `${process.execPath} ${mainPath}` },
        stdio: ['ignore', 'ignore', 'pipe'],
      });
      let output = '';
      recipe.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()));
      const ended = once(recipe, 'close');
      const log = join(folder, 'log.jsonl');
      // The file is there before the first step.
      while (!existsSync(log) || !readFileSync(log, 'utf8').includes('"step"')) await setTimeout(50);
      recipe.kill('SIGTERM');
      await ended;
      expect(output).not.toMatch(/has failed/);
      const logged = readFileSync(log, 'utf8').trim().split('\n').at(-1)!;
      const { trainer } = await readRunState(join(folder, 'state.safetensors'));
      expect(trainer.step).toBe((JSON.parse(logged) as { step: number }).step);
      await resumes(file, folder);
    },
  );
});

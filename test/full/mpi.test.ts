import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { readRunState } from '../../src/train/run/run-state.ts';
import { makeSharedGroup, ThreadCommunicator } from '../../src/train/parallel/thread-communicator.ts';
import { sumsOf } from '../support/known-sums.ts';
import { isHere, LAUNCHERS, mainPath, mpiEnv, ranksOf, startTraining } from '../support/mpi-processes.ts';
import { runDifference } from '../support/run-difference.ts';
import { smallValues } from '../support/small-run.ts';

vi.setConfig({ testTimeout: 280_000 });

const root = mkdtempSync(join(tmpdir(), 'mdetr-mpi-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

let runs = 0;
const settings = {
  ...smallValues,
  // Rates that do not depend on the number of steps, which a resumed run changes.
  schedule: 'step',
  max_steps: 6,
  ema: true,
  ema_decay: 0.9,
  dropout: 0.1,
  accumulate: 4,
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

/** A run of one process, and one of two replicas on threads, to compare with. */
let alone = { one: '', replicas: '' };
beforeAll(() => {
  if (!LAUNCHERS.some(isHere)) return;
  const [one, replicas] = [configOf(), configOf({ ...validated, replicas: 2 })];
  for (const { file } of [one, replicas]) {
    const { status, stderr } = spawnSync(process.execPath, [mainPath, 'train', file], { encoding: 'utf8' });
    expect(status, stderr).toBe(0);
  }
  alone = { one: one.folder, replicas: replicas.folder };
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
    expect(ended.output.match(/6 steps done/g), ended.output).toHaveLength(1);
    expect(await runDifference(folder, alone.replicas)).toBe(0);
    expect(metricsOf(folder)).toEqual(metricsOf(alone.replicas));
    expect(metricsOf(folder)).toHaveProperty('scenes/phrase_recall_at_1');
    expect(await runDifference(folder, alone.one)).toBeLessThan(1e-4);
  });

  it.skipIf(!here)(named('shares unevenly, composes with replicas, and resumes in any number'), async () => {
    const uneven = configOf({ shard_optimizer: true });
    expect((await startTraining(launcher, 3, [uneven.file])).status).toBe(0);
    expect(await runDifference(uneven.folder, alone.one)).toBeLessThan(1e-4);
    const composed = configOf();
    expect((await startTraining(launcher, 2, [composed.file, '--replicas', '2', '--set', 'max_steps=3'])).status).toBe(
      0,
    );
    const resumed = await startTraining(launcher, 4, [composed.file, '--resume']);
    expect(resumed.status, resumed.output).toBe(0);
    expect(await runDifference(composed.folder, alone.one)).toBeLessThan(1e-3);
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

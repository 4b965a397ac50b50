import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { openSafetensors } from '../../src/checkpoints/index.ts';
import { completeRecordBytes } from '../../src/train/run/records/event-file.ts';
import { smallValues } from './small-run.ts';
import { projectRoot } from './run-mdetr.ts';

const program = join(projectRoot, 'dist/cli/main.js');

/** A run of two training stages with moving average, dropout, batches in parts and validations, which saves every few steps. */
const config = {
  ...smallValues,
  ema: true,
  ema_decay: 0.9,
  dropout: 0.1,
  save_every: 3,
  log_every: 2,
  num_workers: 1,
  batch_parts: 2,
  encoder_auxiliary_loss: 1,
  backbone_auxiliary_loss: 1,
  datasets_val: [{ scenes: { seed: 6, images: 1, width: 96, height: 64, min_objects: 2, max_objects: 3 } }],
};
const STAGE_NAMES = ['backbone', 'main'] as const;

export interface KillOptions {
  /** Parent of the runs' folders. */
  readonly folder: string;
  readonly kills: number;
  /** Steps of the second training stage. */
  readonly steps: number;
  /** Random numbers from 0 to below 1, one per kill. */
  readonly random: () => number;
  readonly onEvent?: (text: string) => void;
}

export interface KillReport {
  readonly kills: number;
  /** Runs that finished between kills. */
  readonly finished: number;
  /** Differences from the uninterrupted run, and errors in the logs. */
  readonly faults: readonly string[];
}

/**
 * Kills training runs (SIGKILL) at random moments, from the start of the process to its last save, and resumes them, for
 * the given number of kills, without what they left in the cache of programs. Then compares every value with an uninterrupted run.
 */
export const killAndResume = async (options: KillOptions): Promise<KillReport> => {
  const { folder, steps, random, onEvent = () => undefined } = options;
  mkdirSync(folder, { recursive: true });
  const path = join(folder, 'config.json');
  const stages = [
    { name: STAGE_NAMES[0], objective: 'backbone', max_steps: 6 },
    { name: STAGE_NAMES[1], max_steps: steps, validate_every: Math.max(4, Math.floor(steps / 3)) },
  ];
  writeFileSync(path, JSON.stringify({ ...config, stages }));
  const started = performance.now();
  const uninterrupted = join(folder, 'uninterrupted');
  const cache = join(folder, 'cache');
  await train(path, uninterrupted, cache);
  const totalMs = performance.now() - started;
  onEvent(`uninterrupted: ${(totalMs / 1000).toFixed(1)} s`);

  const faults: string[] = [];
  let [kills, finished, runs] = [0, 0, 0];
  let run = join(folder, `killed-${runs}`);
  while (kills < options.kills) {
    // 0.7: most kills fall into steps, saves and validations.
    const afterMs = random() * totalMs * 0.7;
    const wasKilled = await train(path, run, cache, afterMs);
    if (wasKilled) rmSync(cache, { recursive: true, force: true });
    if (wasKilled) kills++;
    onEvent(
      `${wasKilled ? `kill ${kills}` : 'finished before'} after ${(afterMs / 1000).toFixed(2)} s, ${positionOf(run)}`,
    );
    if (wasKilled) continue;
    finished++;
    faults.push(...(await faultsOf(run, uninterrupted)));
    run = join(folder, `killed-${++runs}`);
  }
  await train(path, run, cache);
  faults.push(...(await faultsOf(run, uninterrupted)));
  return { kills, finished: finished + 1, faults };
};

/** Returns true if the run was killed before it ended. */
const train = (path: string, out: string, cache: string, killAfterMs?: number): Promise<boolean> =>
  new Promise((resolve, reject) => {
    const args = [program, 'train', path, '--output-dir', out, '--resume', '--threads', '2'];
    const env = { ...process.env, MDETR_CACHE: cache };
    const child = spawn(process.execPath, args, { env, stdio: ['ignore', 'ignore', 'pipe'] });
    let stderr = '';
    child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
    const timer = killAfterMs === undefined ? undefined : setTimeout(() => child.kill('SIGKILL'), killAfterMs);
    child.on('close', (status, signal) => {
      clearTimeout(timer);
      if (signal === 'SIGKILL') resolve(true);
      else if (status === 0) resolve(false);
      else reject(new Error(`mdetr train ended with ${status ?? signal ?? 'nothing'}: ${stderr}`));
    });
  });

const positionOf = (run: string): string => {
  const stage = STAGE_NAMES.findLast((name) => existsSync(join(run, name, 'state.safetensors')));
  if (stage === undefined) return 'before the first save';
  const log = readFileSync(join(run, stage, 'log.jsonl'), 'utf8')
    .trim()
    .split('\n');
  return `in stage ${stage}, ${log.length} log entries`;
};

const faultsOf = async (run: string, uninterrupted: string): Promise<string[]> => {
  const faults: string[] = [];
  for (const stage of STAGE_NAMES) {
    const [own, right] = [join(run, stage), join(uninterrupted, stage)];
    for (const model of ['last', 'best'])
      if (
        existsSync(join(right, model)) &&
        !readFileSync(join(own, model, 'model.safetensors')).equals(
          readFileSync(join(right, model, 'model.safetensors')),
        )
      )
        faults.push(`${own}/${model}: other weights`);
    faults.push(...(await otherTensors(join(own, 'state.safetensors'), join(right, 'state.safetensors'))));
    const steps = readFileSync(join(own, 'log.jsonl'), 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { kind: string; step: number })
      .filter(({ kind }) => kind === 'train')
      .map(({ step }) => step);
    if (steps.some((step, index) => index > 0 && step <= steps[index - 1]!))
      faults.push(`${own}: steps ${steps.join()}`);
    const events = readFileSync(join(own, 'tensorboard', 'events.out.tfevents.0'));
    if (completeRecordBytes(events) !== events.length)
      faults.push(`${own}: event file damaged at ${completeRecordBytes(events)}`);
  }
  return faults;
};

/** Names of the tensors that differ. */
const otherTensors = async (path: string, rightPath: string): Promise<string[]> => {
  const [own, right] = [await openSafetensors(path), await openSafetensors(rightPath)];
  try {
    const faults: string[] = [];
    for (const [name, entry] of right.tensors) {
      const found = own.tensors.get(name);
      if (found === undefined || !Buffer.from(await found.read()).equals(Buffer.from(await entry.read())))
        faults.push(`${path}: ${name}`);
    }
    if (own.tensors.size !== right.tensors.size) faults.push(`${path}: ${own.tensors.size} tensors`);
    return faults;
  } finally {
    await own.close();
    await right.close();
  }
};

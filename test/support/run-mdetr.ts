import { spawn, spawnSync, type ChildProcess, type SpawnSyncReturns } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';
import { sharedReference } from './reference-case.ts';

export const projectRoot = fileURLToPath(new URL('../..', import.meta.url));
const program = join(projectRoot, 'dist/cli/main.js');

/** A picture that comes with the package: 480 × 320. */
export const scene = join(projectRoot, 'examples/scene.png');
/** RoBERTa's vocabulary. */
export const roberta = join(projectRoot, 'test/fixtures/reference/roberta');
/** A small official checkpoint, which not everybody has. */
export const tinyCheckpoint = join(sharedReference, 'checkpoints/tiny.pth');
export const hasTinyCheckpoint = existsSync(tinyCheckpoint);

export interface Finished {
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A folder and cache of its own for the built command line. */
export class CommandLine {
  readonly folder = mkdtempSync(join(tmpdir(), 'mdetr-cli-'));
  /** Working folder of the commands. */
  cwd = this.folder;
  readonly env: NodeJS.ProcessEnv = { ...process.env, MDETR_CACHE: join(this.folder, 'cache') };

  run(...args: readonly string[]): SpawnSyncReturns<string> {
    return spawnSync(process.execPath, [program, ...args], {
      encoding: 'utf8',
      env: this.env,
      cwd: this.cwd,
      maxBuffer: 2 ** 28,
    });
  }

  /** Runs to the end without blocking; `watch` may look at the process meanwhile. */
  start(
    args: readonly string[],
    watch: (child: ChildProcess) => void = () => undefined,
    env: NodeJS.ProcessEnv = this.env,
  ): Promise<Finished> {
    return new Promise((resolve) => {
      const child = spawn(process.execPath, [program, ...args], { env, cwd: this.cwd });
      let [stdout, stderr] = ['', ''];
      child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
      child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
      child.on('close', (status, signal) => resolve({ status, signal, stdout, stderr }));
      watch(child);
    });
  }

  /** The lines of a run with `--json`, which must succeed. */
  json(...args: readonly string[]): Record<string, unknown>[] {
    const result = this.run(...args, '--json');
    expect(result.status, result.stderr).toBe(0);
    return result.stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
  }

  file(name: string): string {
    return join(this.folder, name);
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** What the untrained model says about itself is no trouble. */
const isNotice = (line: string): boolean => line.includes('not trained');

/** One line that says what and where, the right status, no stack trace, nothing on stdout. */
export const expectRefusal = (result: SpawnSyncReturns<string>, status: 1 | 2, message: RegExp): void => {
  expect(result.status, result.stderr).toBe(status);
  expect(result.stdout).toBe('');
  const lines = result.stderr.trim().split('\n');
  expect(
    lines.filter((line) => !isNotice(line)),
    result.stderr,
  ).toHaveLength(1);
  expect(lines.at(-1)).toMatch(message);
  expect(lines.at(-1)).toMatch(/^mdetr: /);
};

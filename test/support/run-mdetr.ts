import { spawn, spawnSync, type ChildProcess, type SpawnSyncReturns } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { expect } from 'vitest';
import { sharedReference } from './reference-case.ts';

export const projectRoot = fileURLToPath(new URL('../..', import.meta.url));
const program = join(projectRoot, 'dist/cli/main.js');

/** Path of an example image, 480 × 320 pixels. */
export const scene = join(projectRoot, 'examples/scene.png');
/** Folder of RoBERTa's vocabulary. */
export const roberta = join(projectRoot, 'test/fixtures/reference/roberta');
/** A small official checkpoint, present only beside the reference data. */
export const tinyCheckpoint = join(sharedReference, 'checkpoints/tiny.pth');
export const hasTinyCheckpoint = existsSync(tinyCheckpoint);

export interface Finished {
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

let calls = 0;

/** The built command line, with a temporary working folder and cache. */
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

  /**
   * Runs a command inside this process, which saves starting Node and loading modules. For commands whose process does
   * not matter: what they print, their exit status, and what they write.
   */
  async call(...args: readonly string[]): Promise<Finished> {
    const output = { stdout: '', stderr: '' };
    const { argv, exitCode, env } = process;
    const folder = process.cwd();
    const streams = (['stdout', 'stderr'] as const).map((name) => {
      const { write } = process[name];
      const listeners = new Set(process[name].listeners('error'));
      process[name].write = (chunk: string | Uint8Array): boolean => {
        output[name] += typeof chunk === 'string' ? chunk : Buffer.from(chunk).toString();
        return true;
      };
      return (): void => {
        process[name].write = write;
        // Each call adds a handler for closed pipes.
        for (const listener of process[name].listeners('error'))
          if (!listeners.has(listener)) process[name].off('error', listener as () => void);
      };
    });
    process.argv = [process.execPath, program, ...args];
    process.exitCode = undefined;
    process.env = this.env;
    process.chdir(this.cwd);
    try {
      // The query makes Node run the main module again; all others are loaded once.
      await import(`${pathToFileURL(program).href}?call=${calls++}`);
      const status = Number((process as { exitCode?: number | string }).exitCode);
      return { status, signal: null, ...output };
    } finally {
      process.chdir(folder);
      Object.assign(process, { argv, env, exitCode });
      streams.forEach((restore) => restore());
    }
  }

  /** Runs a process to its end without blocking. `watch` is called with the started process. */
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

  /** Runs a command with `--json`, which must succeed, and parses its lines. */
  async json(...args: readonly string[]): Promise<Record<string, unknown>[]> {
    const result = await this.call(...args, '--json');
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

/** Whether a line is the notice of an untrained model, or says which embedded model was chosen. */
export const isNotice = (line: string): boolean =>
  line.includes('not trained') || / looks like a (scene|photograph)/.test(line);

/** Expects an exit status, one line on stderr that matches `message`, no stack trace, and nothing on stdout. */
export const expectRefusal = (
  result: Pick<Finished, 'status' | 'stdout' | 'stderr'>,
  status: 1 | 2,
  message: RegExp,
): void => {
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

import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { projectRoot } from './run-mdetr.ts';

interface LogLine {
  readonly event: string;
  readonly status?: number;
  readonly pid?: number;
  readonly ms?: number;
  readonly bodyMs?: number;
  readonly prepareMs?: number;
  readonly waitMs?: number;
  readonly batchMs?: number;
}

/** Ticks of `/proc/PID/stat` per second, on every Linux system of today. */
const TICKS = 100;

/** Whether `taskset` can pin processes to cores here. */
export const hasTaskset = spawnSync('taskset', ['--version']).status === 0;

/** Command and arguments, on some cores where that is possible. */
export const onCores = (
  cores: string | undefined,
  command: string,
  args: readonly string[],
): readonly [string, readonly string[]] =>
  hasTaskset && cores !== undefined ? ['taskset', ['-c', cores, command, ...args]] : [command, args];

/** `mdetr serve` as a process of its own, from the built package. */
export class ServerProcess {
  private constructor(
    readonly child: ChildProcess,
    readonly url: string,
    readonly log: readonly LogLine[],
  ) {}

  /**
   * Starts a server on a free port and waits for its address, which it prints once it is ready.
   *
   * @param cacheDir folder of compiled programs; undefined for the user's
   * @param cores cores of the server and its workers
   */
  static async start(
    cacheDir: string | undefined,
    options: readonly string[] = [],
    cores?: string,
  ): Promise<ServerProcess> {
    const main = join(projectRoot, 'dist/cli/main.js');
    const [command, args] = onCores(cores, process.execPath, [main, 'serve', '--port', '0', ...options]);
    const env = cacheDir === undefined ? process.env : { ...process.env, MDETR_CACHE: cacheDir };
    const child = spawn(command, [...args], { env });
    const log: LogLine[] = [];
    const other: string[] = [];
    createInterface({ input: child.stderr }).on('line', (line) => {
      if (line.startsWith('{')) log.push(JSON.parse(line) as LogLine);
      else other.push(line);
    });
    const first = await Promise.race([
      once(createInterface({ input: child.stdout }), 'line') as Promise<[string]>,
      once(child, 'exit').then(() => undefined),
    ]);
    if (first === undefined) throw new Error(`the server does not start: ${other.join('\n')}`);
    return new ServerProcess(child, first[0], log);
  }

  /** Process of the last worker that became ready. */
  get worker(): number {
    return this.log.findLast(({ event }) => event === 'worker-ready')!.pid!;
  }

  async ready(): Promise<boolean> {
    return (await fetch(`${this.url}/readyz`)).ok;
  }

  /** Sends SIGTERM and waits. @returns the exit status */
  async stop(): Promise<number | null> {
    const end = once(this.child, 'exit');
    this.child.kill('SIGTERM');
    return ((await end) as [number | null])[0];
  }

  /** Resident memory of the server and its worker in MB. */
  memoryMb(): number {
    return [this.child.pid!, this.worker].reduce((sum, pid) => {
      const [, kilobytes] = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))!;
      return sum + Number(kilobytes) / 1024;
    }, 0);
  }

  /** Processor time that the server and its worker have used, in milliseconds. */
  cpuMs(): { readonly server: number; readonly worker: number } {
    const of = (pid: number): number => {
      // The second field is a name in parentheses, which may have spaces.
      const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
        .replace(/^.*\) /, '')
        .split(' ');
      return ((Number(fields[11]) + Number(fields[12])) * 1000) / TICKS;
    };
    return { server: of(this.child.pid!), worker: of(this.worker) };
  }
}

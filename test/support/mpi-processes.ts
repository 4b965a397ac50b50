import { spawn, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { projectRoot } from './run-mdetr.ts';

/** A launcher of MPI. */
export interface Launcher {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
}
/** Debian names the launchers of both so; elsewhere `mpirun` is one of them. */
export const LAUNCHERS: readonly Launcher[] = [
  { name: 'Open MPI', command: 'mpirun.openmpi', args: ['--oversubscribe', '--bind-to', 'none'] },
  { name: 'MPICH', command: 'mpirun.mpich', args: [] },
];
export const isHere = ({ command }: Launcher): boolean => spawnSync(command, ['--version']).status === 0;

/** Environment of the processes: a process counts as dead after 8 s without a sign of life. */
export const mpiEnv: NodeJS.ProcessEnv = {
  ...process.env,
  OMPI_ALLOW_RUN_AS_ROOT: '1',
  OMPI_ALLOW_RUN_AS_ROOT_CONFIRM: '1',
  MDETR_DEAD_AFTER_MS: '8000',
};

/** The built command line. */
export const mainPath = join(projectRoot, 'dist/cli/main.js');

export interface Ended {
  readonly status: number | null;
  readonly output: string;
  readonly seconds: number;
}

/** Starts `mdetr train` in a number of processes; `onOutput` gets everything printed so far. */
export const startTraining = (
  launcher: Launcher,
  processes: number,
  args: readonly string[],
  onOutput?: (text: string) => void,
): Promise<Ended> => {
  const began = performance.now();
  const command = [process.execPath, mainPath, 'train', ...args];
  const child = spawn(launcher.command, [...launcher.args, '-n', String(processes), ...command], { env: mpiEnv });
  let output = '';
  const receive = (chunk: Buffer): void => {
    output += chunk.toString();
    onOutput?.(output);
  };
  child.stdout.on('data', receive);
  child.stderr.on('data', receive);
  return new Promise<Ended>((resolve) => {
    child.on('close', (status) => resolve({ status, output, seconds: (performance.now() - began) / 1000 }));
  });
};

/** Process ids of the ranks that train with a config, in any order. */
export const ranksOf = (file: string): number[] =>
  spawnSync('pgrep', ['-f', `^${process.execPath} ${mainPath} train ${file}`], { encoding: 'utf8' })
    .stdout.split('\n')
    .filter((line) => line !== '')
    .map(Number);

import { execFileSync, spawnSync } from 'node:child_process';

/** Runs commands under a launcher of MPI: `openmpi` or `mpich`, or else what `mpirun` is. */
export class MpiLauncher {
  private readonly suffix: string;
  private readonly options: readonly string[];

  constructor(mpi: string) {
    this.suffix = mpi === '' ? '' : `.${mpi}`;
    const isOpenMpi = execFileSync(`mpirun${this.suffix}`, ['--version'], { encoding: 'utf8' }).includes('Open MPI');
    this.options = isOpenMpi ? ['--oversubscribe', '--bind-to', 'none'] : [];
  }

  /** Name of a tool that belongs to the launcher, such as `mpicc`. */
  tool(name: string): string {
    return `${name}${this.suffix}`;
  }

  /** Standard output of a number of processes. @throws {Error} if one fails */
  run(processes: number, command: readonly string[], env: NodeJS.ProcessEnv = {}): string {
    const args = [...this.options, '-n', String(processes), ...command];
    const { stdout, stderr, status } = spawnSync(this.tool('mpirun'), args, {
      encoding: 'utf8',
      env: { ...process.env, OMPI_ALLOW_RUN_AS_ROOT: '1', OMPI_ALLOW_RUN_AS_ROOT_CONFIRM: '1', ...env },
    });
    if (status !== 0) throw new Error(`${command[0]!} failed: ${stderr}`);
    return stdout.trim();
  }
}

import { MdetrError, quoted } from '../../../errors.ts';

/** This process's place in a group of processes that a launcher has started. */
export interface MpiLaunch {
  readonly rank: number;
  readonly size: number;
  /** Name of the launcher, for messages. */
  readonly launcher: string;
  /** MPI implementations that can be behind the launcher, the likeliest first. */
  readonly families: readonly MpiFamily[];
}

/** Families of MPI libraries with the same binary interface. MPICH's includes MVAPICH, Intel MPI and Cray MPI. */
export type MpiFamily = 'Open MPI' | 'MPICH';

interface Launcher {
  readonly launcher: string;
  readonly rank: string;
  readonly size: string;
  readonly families: readonly MpiFamily[];
}

/** Environment variables of launchers. A library's own come first: under `srun` those of Slurm are set as well. */
const LAUNCHERS: readonly Launcher[] = [
  {
    launcher: 'mpirun (Open MPI)',
    rank: 'OMPI_COMM_WORLD_RANK',
    size: 'OMPI_COMM_WORLD_SIZE',
    families: ['Open MPI'],
  },
  { launcher: 'mpirun (MPICH)', rank: 'PMI_RANK', size: 'PMI_SIZE', families: ['MPICH', 'Open MPI'] },
  { launcher: 'srun', rank: 'PMIX_RANK', size: 'SLURM_NTASKS', families: ['Open MPI', 'MPICH'] },
];

/**
 * Finds out whether a launcher of MPI has started this process, from its environment.
 *
 * @returns undefined for a process of its own, and for a group of one
 * @throws {MdetrError} if the launcher's variables contradict each other
 */
export const mpiLaunch = (env: NodeJS.ProcessEnv = process.env): MpiLaunch | undefined => {
  for (const { launcher, rank: rankName, size: sizeName, families } of LAUNCHERS) {
    const [rankText, sizeText] = [env[rankName], env[sizeName]];
    if (rankText === undefined || sizeText === undefined) continue;
    const [rank, size] = [Number(rankText), Number(sizeText)];
    if (!(Number.isInteger(rank) && Number.isInteger(size) && rank >= 0 && rank < size))
      throw new MdetrError(
        `${launcher} sets ${rankName}=${quoted(rankText)} and ${sizeName}=${quoted(sizeText)}, which name no process of a group`,
      );
    return size === 1 ? undefined : { rank, size, launcher, families };
  }
  return undefined;
};

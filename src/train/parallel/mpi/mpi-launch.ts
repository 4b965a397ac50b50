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
 * @throws {MdetrError} if the launcher's variables are incomplete or contradict each other
 */
export const mpiLaunch = (env: NodeJS.ProcessEnv = process.env): MpiLaunch | undefined => {
  let incomplete: string | undefined;
  for (const { launcher, rank: rankName, size: sizeName, families } of LAUNCHERS) {
    const [rankText, sizeText] = [env[rankName], env[sizeName]];
    if (rankText === undefined || sizeText === undefined) {
      incomplete ??= incompleteLaunch(rankName, rankText, sizeName, sizeText);
      continue;
    }
    const [rank, size] = [Number(rankText), Number(sizeText)];
    if (!(Number.isInteger(rank) && Number.isInteger(size) && rank >= 0 && rank < size))
      throw new MdetrError(
        `${launcher} sets ${rankName}=${quoted(rankText)} and ${sizeName}=${quoted(sizeText)}, which name no process of a group`,
      );
    return size === 1 ? undefined : { rank, size, launcher, families };
  }
  incomplete ??= launchWithoutMpi(env);
  if (incomplete !== undefined) throw new MdetrError(incomplete);
  return undefined;
};

/**
 * Describes variables of which a launcher sets both and only one is there, so that this process may be one of several. Slurm sets
 * its number of tasks in batch scripts, too, which start no processes by themselves.
 */
const incompleteLaunch = (
  rankName: string,
  rank: string | undefined,
  sizeName: string,
  size: string | undefined,
): string | undefined => {
  if (rank === undefined && (size === undefined || sizeName === 'SLURM_NTASKS')) return undefined;
  const [present, value, missing] = rank === undefined ? [sizeName, size, rankName] : [rankName, rank, sizeName];
  return (
    `${present}=${quoted(value!)} is set, but ${missing} is not: this process may be one of a group, whose size or place in it ` +
    `is unknown. Set both (mpirun and srun --mpi=pmix do), or unset ${present} to train in a single process`
  );
};

/** Describes tasks of `srun` that were started without an interface of MPI: each would train alone in the same folder. */
const launchWithoutMpi = (env: NodeJS.ProcessEnv): string | undefined => {
  const { SLURM_PROCID: rank, SLURM_STEP_ID: step, SLURM_STEP_NUM_TASKS: ofStep, SLURM_NTASKS: ofJob } = env;
  // A batch script has a rank, too, which is 0, but is no step.
  if (rank === undefined || (step === undefined && rank === '0')) return undefined;
  const tasks = ofStep ?? ofJob;
  if (tasks === '1') return undefined;
  return (
    `srun started this process as task ${quoted(rank)} of ${tasks ?? 'an unknown number (SLURM_NTASKS is not set)'}, but without ` +
    'an interface of MPI: start it by srun --mpi=pmix, or with one task (--ntasks 1)'
  );
};

import { describe, expect, it } from 'vitest';
import { mpiLaunch } from './mpi-launch.ts';

describe('mpiLaunch', () => {
  it.each([
    [
      { OMPI_COMM_WORLD_RANK: '1', OMPI_COMM_WORLD_SIZE: '4', PMIX_RANK: '1' },
      { rank: 1, size: 4, family: 'Open MPI' },
    ],
    [
      { PMI_RANK: '2', PMI_SIZE: '3' },
      { rank: 2, size: 3, family: 'MPICH' },
    ],
    [
      { PMIX_RANK: '0', SLURM_NTASKS: '2' },
      { rank: 0, size: 2, family: 'Open MPI' },
    ],
  ])('reads %j', (env, { rank, size, family }) => {
    const launch = mpiLaunch(env);
    expect(launch).toMatchObject({ rank, size });
    expect(launch!.families[0]).toBe(family);
  });

  it.each([
    {},
    { SLURM_NTASKS: '4' },
    { PMI_RANK: '0', PMI_SIZE: '1' },
    // The environment of a batch script.
    { SLURM_NTASKS: '4', SLURM_PROCID: '0' },
    { SLURM_NTASKS: '4', SLURM_PROCID: '0', SLURM_STEP_ID: '0', SLURM_STEP_NUM_TASKS: '1' },
  ])('finds no group in %j', (env) => {
    expect(mpiLaunch(env)).toBeUndefined();
  });

  it.each([
    [{ PMIX_RANK: '1' }, /PMIX_RANK="1" is set, but SLURM_NTASKS is not/],
    [{ OMPI_COMM_WORLD_SIZE: '2' }, /OMPI_COMM_WORLD_SIZE="2" is set, but OMPI_COMM_WORLD_RANK is not/],
    [{ PMI_RANK: '0' }, /unset PMI_RANK to train in a single process/],
    [{ SLURM_PROCID: '1' }, /task "1" of an unknown number \(SLURM_NTASKS is not set\)/],
    [{ SLURM_PROCID: '0', SLURM_STEP_ID: '0', SLURM_NTASKS: '2' }, /task "0" of 2, .*srun --mpi=pmix/],
  ])('refuses %j', (env, message) => {
    expect(() => mpiLaunch(env)).toThrow(message);
  });

  it('takes complete variables where others are incomplete', () => {
    expect(mpiLaunch({ PMI_RANK: '2', PMI_SIZE: '3', PMIX_RANK: '2', SLURM_PROCID: '2' })).toMatchObject({ rank: 2 });
  });

  it('refuses a rank outside of the group', () => {
    expect(() => mpiLaunch({ PMI_RANK: '4', PMI_SIZE: '4' })).toThrow(
      /PMI_RANK="4" and PMI_SIZE="4", which name no process/,
    );
  });
});

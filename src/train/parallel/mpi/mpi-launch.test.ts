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

  it.each([{}, { SLURM_NTASKS: '4' }, { PMI_RANK: '0', PMI_SIZE: '1' }])('finds no group in %j', (env) => {
    expect(mpiLaunch(env)).toBeUndefined();
  });

  it('refuses a rank outside of the group', () => {
    expect(() => mpiLaunch({ PMI_RANK: '4', PMI_SIZE: '4' })).toThrow(
      /PMI_RANK="4" and PMI_SIZE="4", which name no process/,
    );
  });
});

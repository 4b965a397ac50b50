import { availableParallelism, cpus, hostname } from 'node:os';
import { gatherStrings, type Communicator } from '../communicator.ts';
import { GroupMonitor } from './group-monitor.ts';
import { MpiCommunicator, type GroupWatch } from './mpi-communicator.ts';
import { mpiLaunch, type MpiLaunch } from './mpi-launch.ts';
import { MpiLibrary } from './mpi-library.ts';

/** The group of processes that an MPI launcher has started, seen from this process. */
export class ProcessGroup {
  private static library: MpiLibrary | undefined;
  private static hasFailed = false;
  readonly rank: number;
  readonly size: number;

  private constructor(
    readonly communicator: Communicator,
    private readonly monitor: GroupMonitor,
    /** Number of processes on this host. */
    readonly localSize: number,
    /** Name and version of the MPI, for messages. */
    readonly description: string,
  ) {
    this.rank = communicator.rank;
    this.size = communicator.size;
  }

  /**
   * Joins the group of this process.
   *
   * @returns undefined for a process that no launcher has started together with others
   * @throws {MdetrError} if the MPI library cannot be used, or another process cannot be reached
   */
  static async join(): Promise<ProcessGroup | undefined> {
    const launch = mpiLaunch();
    if (launch === undefined) return undefined;
    // MPI can be initialized once per process; it is finalized at exit.
    const library = (ProcessGroup.library ??= ProcessGroup.open(launch));
    const watch: { monitor?: GroupMonitor } & GroupWatch = { check: () => watch.monitor?.check() };
    const communicator = new MpiCommunicator(library, watch);
    const hosts = await gatherStrings(communicator, hostname());
    const localSize = hosts.filter((host) => host === hostname()).length;
    try {
      watch.monitor = await GroupMonitor.start(communicator);
    } catch (error) {
      ProcessGroup.hasFailed = true;
      throw error;
    }
    const description = `${launch.size} processes on ${new Set(hosts).size} hosts, ${library.family}`;
    return new ProcessGroup(communicator, watch.monitor, localSize, description);
  }

  private static open(launch: MpiLaunch): MpiLibrary {
    const library = MpiLibrary.open(launch);
    process.once('exit', () => {
      // After a failure, finalizing would wait for a dead process.
      if (!ProcessGroup.hasFailed) library.finalize();
    });
    return library;
  }

  /** Cores of this process: those that the launcher bound it to, or else the host's, divided by the processes on it. */
  get cores(): number {
    const available = availableParallelism();
    return available < cpus().length ? available : Math.max(1, Math.floor(available / this.localSize));
  }

  /** Tells the others that this process fails. @returns the error to end with */
  fail(error: Error): Promise<Error> {
    ProcessGroup.hasFailed = true;
    return this.monitor.fail(error);
  }

  /** Waits until all processes have finished; from then on the end of one is no failure. */
  leave(): Promise<void> {
    return this.monitor.leave(this.communicator);
  }
}

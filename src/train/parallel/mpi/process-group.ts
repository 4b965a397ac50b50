import { readlinkSync } from 'node:fs';
import { availableParallelism, cpus, hostname } from 'node:os';
import { gatherStrings, type Communicator } from '../communicator.ts';
import { GroupMonitor } from './group-monitor.ts';
import { MessageCommunicator } from './message-communicator.ts';
import { mpiLaunch, type MpiLaunch } from './mpi-launch.ts';
import { MpiLibrary, TransferError } from './mpi-library.ts';
import type { GroupWatch } from './waiting.ts';
import { WindowCommunicator } from './window-communicator.ts';

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
    const messages = new MessageCommunicator(library, watch);
    const own = hostOfProcess();
    const hosts = await gatherStrings(messages, own);
    const localSize = hosts.filter((host) => host === own).length;
    try {
      watch.monitor = await GroupMonitor.start(messages);
      const shared = localSize === launch.size ? await openWindow(library, messages, watch) : undefined;
      const hostCount = new Set(hosts).size;
      const where = `${hostCount} ${hostCount === 1 ? 'host' : 'hosts'}${shared === undefined ? '' : ' (shared memory)'}`;
      const description = `${launch.size} processes on ${where}, ${library.family}`;
      return new ProcessGroup(shared ?? messages, watch.monitor, localSize, description);
    } catch (error) {
      ProcessGroup.hasFailed = true;
      throw error;
    }
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

/** Identifies the host of a process. Containers and network namespaces on one machine count as hosts of their own. */
const hostOfProcess = (): string => {
  let network = '';
  try {
    network = readlinkSync('/proc/self/ns/net');
  } catch {
    // Only Linux has namespaces.
  }
  return `${hostname()} ${network}`;
};

/** Opens the memory that all processes share; undefined where MPI cannot, or `MDETR_MPI_SHARED_MEMORY` is 0. */
const openWindow = async (
  library: MpiLibrary,
  messages: Communicator,
  watch: GroupWatch,
): Promise<WindowCommunicator | undefined> => {
  const refused = Float32Array.of(process.env['MDETR_MPI_SHARED_MEMORY'] === '0' ? 1 : 0);
  await messages.allReduce(refused);
  if (refused[0]! > 0) return undefined;
  let window: WindowCommunicator | undefined;
  try {
    window = WindowCommunicator.open(library, watch);
  } catch (error) {
    // Messages do the same, more slowly.
    if (!(error instanceof TransferError)) throw error;
  }
  // Also waits until the counters of all are set.
  const opened = Float32Array.of(window === undefined ? 0 : 1);
  await messages.allReduce(opened);
  return opened[0] === library.size ? window : undefined;
};

import { MdetrError, messageOf } from '../../../errors.ts';
import { koffiPackage } from '../../../files/native-calls.ts';
import {
  INTERFACES,
  isOfFamily,
  type Handle,
  type Koffi,
  type KoffiLibrary,
  type MpiFunction,
} from './mpi-interface.ts';
import type { MpiFamily, MpiLaunch } from './mpi-launch.ts';

/**
 * Settings of UCX, through which MPICH and some builds of Open MPI transfer. Its hooks rewrite the C library's memory
 * functions, and its handler of faults takes the place of V8's: neither is safe in a process that runs JavaScript.
 */
const UCX_SETTINGS: Readonly<Record<string, string>> = { UCX_MEM_EVENTS: 'no', UCX_HANDLE_ERRORS: 'none' };

/** Size of the largest message. */
export const LARGEST_MESSAGE_BYTES = 2 ** 21;
/** Room for the header that MPI puts before a message. */
const HEADER_BYTES = 2 ** 12;
/**
 * Settings of Open MPI. By TCP it announces messages above 64 kB first and waits for an answer, which queues behind the data that
 * are sent the other way: both directions of a link were never busy together. The largest message of a round is sent at once.
 */
const OPEN_MPI_SETTINGS: Readonly<Record<string, string>> = {
  OMPI_MCA_btl_tcp_eager_limit: String(LARGEST_MESSAGE_BYTES + HEADER_BYTES),
};

/** Only the main thread calls MPI. */
const MPI_THREAD_FUNNELED = 1;

const PACKAGES: Readonly<Record<MpiFamily, string>> = {
  'Open MPI': 'libopenmpi3 (Debian, Ubuntu), openmpi (Fedora, Homebrew)',
  MPICH: 'libmpich12 (Debian, Ubuntu), mpich (Fedora, Homebrew)',
};

/** Memory that C code reads and writes while JavaScript runs: an `ArrayBuffer` is never moved. */
const fixedInts = (length: number): Int32Array => new Int32Array(new ArrayBuffer(length * 4));

type CheckedFunction =
  | 'send'
  | 'receive'
  | 'testAll'
  | 'reduceLocal'
  | 'splitByType'
  | 'sizeOf'
  | 'allocateShared'
  | 'queryShared'
  | 'freeWindow'
  | 'finalize';

/**
 * The system's MPI library, called through koffi. It is opened once per process, and only its first thread may call it.
 */
export class MpiLibrary {
  readonly rank: number;
  readonly size: number;
  private readonly world: Handle;
  private readonly byte: Handle;
  private readonly float: Handle;
  private readonly sum: Handle;
  private readonly done = fixedInts(1);
  private readonly functions: Readonly<Record<CheckedFunction | 'abort', MpiFunction>>;
  private window: Uint8Array | undefined;

  private constructor(
    readonly family: MpiFamily,
    private readonly library: KoffiLibrary,
    private readonly koffi: Koffi,
  ) {
    const { handle, constant } = INTERFACES[family];
    this.world = constant('world', library, koffi);
    this.byte = constant('byte', library, koffi);
    this.float = constant('float', library, koffi);
    this.sum = constant('sum', library, koffi);
    const checked = (name: string, parameters: string): MpiFunction =>
      check(name, library.func(`int ${name}(${parameters})`));
    checked('MPI_Init_thread', 'void *, void *, int, void *')(null, null, MPI_THREAD_FUNNELED, fixedInts(1));
    // By default MPI ends the process at an error, without our message.
    checked('MPI_Comm_set_errhandler', `${handle}, ${handle}`)(this.world, constant('errorsReturn', library, koffi));
    const transfer = `void *, int, ${handle}, int, int, ${handle}, void *`;
    this.functions = {
      send: checked('MPI_Isend', transfer),
      receive: checked('MPI_Irecv', transfer),
      testAll: checked('MPI_Testall', 'int, void *, void *, void *'),
      reduceLocal: checked('MPI_Reduce_local', `void *, void *, int, ${handle}, ${handle}`),
      splitByType: checked('MPI_Comm_split_type', `${handle}, int, int, ${handle}, void *`),
      sizeOf: checked('MPI_Comm_size', `${handle}, void *`),
      allocateShared: checked('MPI_Win_allocate_shared', `intptr_t, int, ${handle}, ${handle}, void *, void *`),
      queryShared: checked('MPI_Win_shared_query', `${handle}, int, void *, void *, void *`),
      freeWindow: checked('MPI_Win_free', 'void *'),
      finalize: checked('MPI_Finalize', ''),
      abort: library.func(`int MPI_Abort(${handle}, int)`),
    };
    const rank = fixedInts(1);
    checked('MPI_Comm_rank', `${handle}, void *`)(this.world, rank);
    this.rank = rank[0]!;
    this.size = this.sizeOf(this.world);
  }

  /**
   * Opens the library of the launcher and joins the group. `MDETR_MPI_LIBRARY` names another file.
   *
   * @throws {MdetrError} if there is none, or its group differs from the launcher's
   */
  static open(launch: MpiLaunch, env: NodeJS.ProcessEnv = process.env): MpiLibrary {
    const koffi = koffiOf();
    for (const [name, value] of Object.entries({ ...UCX_SETTINGS, ...OPEN_MPI_SETTINGS })) env[name] ??= value;
    const failures: string[] = [];
    for (const family of launch.families) {
      const named = env['MDETR_MPI_LIBRARY'];
      for (const file of named === undefined ? INTERFACES[family].files : [named]) {
        let library: KoffiLibrary;
        try {
          // Open MPI loads components later, which must find its symbols.
          library = koffi.load(file, { global: true, lazy: true });
          if (!isOfFamily(family, library)) continue;
        } catch (error) {
          failures.push(messageOf(error));
          continue;
        }
        const opened = new MpiLibrary(family, library, koffi);
        if (opened.size !== launch.size)
          throw new MdetrError(
            `${launch.launcher} started ${launch.size} processes, but ${file} (${family}) sees ${opened.size}: it belongs to ` +
              `another MPI; set MDETR_MPI_LIBRARY to the library of the launcher`,
          );
        return opened;
      }
    }
    throw new MdetrError(
      `${launch.launcher} started this process, but no MPI library is here: install ${PACKAGES[launch.families[0]!]}, or set ` +
        `MDETR_MPI_LIBRARY to its file (${failures[0] ?? 'the file that it names is none of a known MPI'})`,
    );
  }

  /** Requests of several transfers, for `isDone`. */
  requests(count: number): MpiRequests {
    const { handleBytes } = INTERFACES[this.family];
    const handles = new Uint8Array(new ArrayBuffer(count * handleBytes));
    const slots = Array.from({ length: count }, (_, index) =>
      handles.subarray(index * handleBytes, (index + 1) * handleBytes),
    );
    return { count, handles, slots };
  }

  /** Begins to send an array, which must stay as it is until the request is done. */
  send(array: ArrayBufferView, to: number, tag: number, requests: MpiRequests, index: number): void {
    this.functions.send(array, array.byteLength, this.byte, to, tag, this.world, requests.slots[index]!);
  }

  /** Begins to receive into an array. */
  receive(array: ArrayBufferView, from: number, tag: number, requests: MpiRequests, index: number): void {
    this.functions.receive(array, array.byteLength, this.byte, from, tag, this.world, requests.slots[index]!);
  }

  /** Whether all requests are done; progresses transfers. */
  isDone({ count, handles }: MpiRequests): boolean {
    this.functions.testAll(count, handles, this.done, INTERFACES[this.family].ignoredStatuses);
    return this.done[0] !== 0;
  }

  /** Adds values to the first `sums.length` sums, in place, by the library's vectorized loop. Nothing is sent. */
  addTo(sums: Float32Array, values: Float32Array): void {
    this.functions.reduceLocal(values, sums, sums.length, this.float, this.sum);
  }

  /**
   * Allocates memory that all processes share, if all are on one host. All processes call it.
   *
   * @param bytes size of the part of each process
   * @returns the parts of all processes, by rank; undefined if the processes cannot share memory
   */
  shareMemory(bytes: number): readonly ArrayBuffer[] | undefined {
    const { functions, library, koffi, world } = this;
    const { sharedType, constant, handleBytes } = INTERFACES[this.family];
    const noInfo = constant('noInfo', library, koffi);
    const [host, window] = [handleBytes, handleBytes].map((size) => new Uint8Array(new ArrayBuffer(size))) as [
      Uint8Array,
      Uint8Array,
    ];
    functions.splitByType(world, sharedType, 0, noInfo, host);
    const hostGroup = this.handleIn(host);
    if (this.sizeOf(hostGroup) !== this.size) return undefined;
    functions.allocateShared(bytes, 1, noInfo, hostGroup, new BigUint64Array(1), window);
    this.window = window;
    return Array.from({ length: this.size }, (_, rank) => {
      const address = new BigUint64Array(1);
      functions.queryShared(this.handleIn(window), rank, new BigInt64Array(1), fixedInts(1), address);
      return koffi.view(address[0]!, bytes);
    });
  }

  /** Leaves the group; all processes must. Shared memory must not be used afterwards. */
  finalize(): void {
    if (this.window !== undefined) this.functions.freeWindow(this.window);
    this.functions.finalize();
  }

  /** Ends all processes of the group. */
  abort(status: number): void {
    this.functions.abort(this.world, status);
  }

  private sizeOf(group: Handle): number {
    const size = fixedInts(1);
    this.functions.sizeOf(group, size);
    return size[0]!;
  }

  private handleIn({ buffer, byteOffset }: Uint8Array): Handle {
    const view = new DataView(buffer, byteOffset);
    return INTERFACES[this.family].handle === 'int' ? view.getInt32(0, true) : view.getBigUint64(0, true);
  }
}

/** A call into MPI that failed. */
export class TransferError extends MdetrError {}

/** Handles of transfers in progress. */
export interface MpiRequests {
  readonly count: number;
  readonly handles: Uint8Array;
  /** The handle of each transfer. */
  readonly slots: readonly Uint8Array[];
}

const check =
  (name: string, call: MpiFunction): MpiFunction =>
  (...args) => {
    const status = call(...args);
    if (status !== 0) throw new TransferError(`${name} failed with status ${status}`);
    return status;
  };

const koffiOf = (): Koffi => {
  try {
    return koffiPackage() as Koffi;
  } catch (error) {
    throw new MdetrError(
      `training under MPI calls the system's library through the package koffi, which cannot be loaded (${messageOf(error)}): npm install koffi`,
      { cause: error },
    );
  }
};

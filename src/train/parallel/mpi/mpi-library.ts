import { MdetrError, messageOf } from '../../../errors.ts';
import { packageRequire } from '../../../files/package-folder.ts';
import type { MpiFamily, MpiLaunch } from './mpi-launch.ts';

/** Argument of a C pointer type. */
type Pointer = ArrayBufferView | bigint | null;
type MpiFunction = (...args: readonly (Pointer | number)[]) => number;

/** Subset of koffi's interface, whose own types use `any`. */
interface Koffi {
  load(path: string, options: { readonly global: boolean; readonly lazy: boolean }): KoffiLibrary;
  address(symbol: unknown): bigint;
}
interface KoffiLibrary {
  func(declaration: string): MpiFunction;
  symbol(name: string, type: string): unknown;
}

/** Differences between the binary interfaces of MPI libraries. */
interface Interface {
  readonly files: readonly string[];
  /** C type of communicators, data types and requests. */
  readonly handle: 'void *' | 'int';
  /** `MPI_STATUSES_IGNORE`. */
  readonly ignoredStatuses: bigint;
  readonly world: (library: KoffiLibrary, koffi: Koffi) => bigint | number;
  readonly float: (library: KoffiLibrary, koffi: Koffi) => bigint | number;
  /** `MPI_ERRORS_RETURN`. */
  readonly errorsReturn: (library: KoffiLibrary, koffi: Koffi) => bigint | number;
}

const symbolOf =
  (name: string) =>
  (library: KoffiLibrary, koffi: Koffi): bigint =>
    koffi.address(library.symbol(name, 'void *'));

const INTERFACES: Readonly<Record<MpiFamily, Interface>> = {
  'Open MPI': {
    files: ['libmpi.so.40', 'libmpi.so.80', 'libmpi.so', 'libmpi.40.dylib', 'libmpi.dylib'],
    handle: 'void *',
    ignoredStatuses: 0n,
    world: symbolOf('ompi_mpi_comm_world'),
    float: symbolOf('ompi_mpi_float'),
    errorsReturn: symbolOf('ompi_mpi_errors_return'),
  },
  // Constants of the MPICH ABI initiative: https://www.mpich.org/abi/
  MPICH: {
    files: ['libmpich.so.12', 'libmpi.so.12', 'libmpich.so', 'libmpi.so', 'libmpi.12.dylib', 'libmpi.dylib'],
    handle: 'int',
    ignoredStatuses: 1n,
    world: () => 0x44000000,
    float: () => 0x4c00040a,
    errorsReturn: () => 0x54000001,
  },
};

/**
 * Settings of UCX, through which MPICH and some builds of Open MPI transfer. Its hooks rewrite the C library's memory
 * functions, and its handler of faults takes the place of V8's: neither is safe in a process that runs JavaScript.
 */
const UCX_SETTINGS: Readonly<Record<string, string>> = { UCX_MEM_EVENTS: 'no', UCX_HANDLE_ERRORS: 'none' };

/** Only the main thread calls MPI. */
const MPI_THREAD_FUNNELED = 1;

const PACKAGES: Readonly<Record<MpiFamily, string>> = {
  'Open MPI': 'libopenmpi3 (Debian, Ubuntu), openmpi (Fedora, Homebrew)',
  MPICH: 'libmpich12 (Debian, Ubuntu), mpich (Fedora, Homebrew)',
};

/** Memory that C code reads and writes while JavaScript runs: an `ArrayBuffer` is never moved. */
const fixedInts = (length: number): Int32Array => new Int32Array(new ArrayBuffer(length * 4));

/**
 * The system's MPI library, called through koffi. It is opened once per process, and only its first thread may call it.
 */
export class MpiLibrary {
  readonly rank: number;
  readonly size: number;
  private readonly world: bigint | number;
  private readonly float: bigint | number;
  private readonly handleBytes: number;
  private readonly done = fixedInts(1);
  private readonly functions: Readonly<Record<'send' | 'receive' | 'testAll' | 'finalize' | 'abort', MpiFunction>>;

  private constructor(
    readonly family: MpiFamily,
    library: KoffiLibrary,
    koffi: Koffi,
  ) {
    const { handle, world, float, errorsReturn } = INTERFACES[family];
    this.handleBytes = handle === 'int' ? 4 : 8;
    this.world = world(library, koffi);
    this.float = float(library, koffi);
    check('MPI_Init_thread', library.func('int MPI_Init_thread(void *, void *, int, void *)'))(
      null,
      null,
      MPI_THREAD_FUNNELED,
      fixedInts(1),
    );
    // By default MPI ends the process at an error, without our message.
    check('MPI_Comm_set_errhandler', library.func(`int MPI_Comm_set_errhandler(${handle}, ${handle})`))(
      this.world,
      errorsReturn(library, koffi),
    );
    const place = (name: string): number => {
      const value = fixedInts(1);
      check(name, library.func(`int ${name}(${handle}, void *)`))(this.world, value);
      return value[0]!;
    };
    this.rank = place('MPI_Comm_rank');
    this.size = place('MPI_Comm_size');
    const transfer = `void *, int, ${handle}, int, int, ${handle}, void *`;
    this.functions = {
      send: check('MPI_Isend', library.func(`int MPI_Isend(${transfer})`)),
      receive: check('MPI_Irecv', library.func(`int MPI_Irecv(${transfer})`)),
      testAll: check('MPI_Testall', library.func('int MPI_Testall(int, void *, void *, void *)')),
      finalize: check('MPI_Finalize', library.func('int MPI_Finalize()')),
      abort: library.func(`int MPI_Abort(${handle}, int)`),
    };
  }

  /**
   * Opens the library of the launcher and joins the group. `MDETR_MPI_LIBRARY` names another file.
   *
   * @throws {MdetrError} if there is none, or its group differs from the launcher's
   */
  static open(launch: MpiLaunch, env: NodeJS.ProcessEnv = process.env): MpiLibrary {
    const koffi = koffiOf();
    for (const [name, value] of Object.entries(UCX_SETTINGS)) env[name] ??= value;
    const failures: string[] = [];
    for (const family of launch.families) {
      const named = env['MDETR_MPI_LIBRARY'];
      for (const file of named === undefined ? INTERFACES[family].files : [named]) {
        let library: KoffiLibrary;
        try {
          // Open MPI loads components later, which must find its symbols.
          library = koffi.load(file, { global: true, lazy: true });
          if (!isOf(family, library)) continue;
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
    return { count, handles: new Uint8Array(new ArrayBuffer(count * this.handleBytes)) };
  }

  /** Begins to send values, which must stay as they are until the request is done. */
  send(values: Float32Array, to: number, tag: number, requests: MpiRequests, index: number): void {
    this.functions.send(values, values.length, this.float, to, tag, this.world, this.slot(requests, index));
  }

  /** Begins to receive values. */
  receive(values: Float32Array, from: number, tag: number, requests: MpiRequests, index: number): void {
    this.functions.receive(values, values.length, this.float, from, tag, this.world, this.slot(requests, index));
  }

  /** Whether all requests are done; progresses transfers. */
  isDone({ count, handles }: MpiRequests): boolean {
    this.functions.testAll(count, handles, this.done, INTERFACES[this.family].ignoredStatuses);
    return this.done[0] !== 0;
  }

  /** Leaves the group; all processes must. */
  finalize(): void {
    this.functions.finalize();
  }

  /** Ends all processes of the group. */
  abort(status: number): void {
    this.functions.abort(this.world, status);
  }

  private slot({ handles }: MpiRequests, index: number): Uint8Array {
    return handles.subarray(index * this.handleBytes, (index + 1) * this.handleBytes);
  }
}

/** A call into MPI that failed. */
export class TransferError extends MdetrError {}

/** Handles of transfers in progress. */
export interface MpiRequests {
  readonly count: number;
  readonly handles: Uint8Array;
}

const check =
  (name: string, call: MpiFunction): MpiFunction =>
  (...args) => {
    const status = call(...args);
    if (status !== 0) throw new TransferError(`${name} failed with status ${status}`);
    return status;
  };

/** Whether a library has the binary interface of a family: both name their files `libmpi.so`. */
const isOf = (family: MpiFamily, library: KoffiLibrary): boolean => {
  let isOpenMpi = true;
  try {
    library.symbol('ompi_mpi_comm_world', 'void *');
  } catch {
    isOpenMpi = false;
  }
  return isOpenMpi === (family === 'Open MPI');
};

const koffiOf = (): Koffi => {
  try {
    return packageRequire('koffi') as Koffi;
  } catch (error) {
    throw new MdetrError(
      `training under MPI calls the system's library through the package koffi, which cannot be loaded (${messageOf(error)}): npm install koffi`,
      { cause: error },
    );
  }
};

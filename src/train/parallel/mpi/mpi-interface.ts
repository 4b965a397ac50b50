import type { MpiFamily } from './mpi-launch.ts';

/** Subset of koffi's interface, whose own types use `any`. */
export interface Koffi {
  load(path: string, options: { readonly global: boolean; readonly lazy: boolean }): KoffiLibrary;
  address(symbol: unknown): bigint;
  view(address: bigint, bytes: number): ArrayBuffer;
}
/** A shared library that koffi has opened. */
export interface KoffiLibrary {
  func(declaration: string): MpiFunction;
  symbol(name: string, type: string): unknown;
}

/** Argument of a C pointer type. */
type Pointer = ArrayBufferView | bigint | null;
/** A function of an MPI library. Arrays are passed in place. */
export type MpiFunction = (...args: readonly (Pointer | number)[]) => number;

/** An object of MPI: the address of a structure, or an integer. */
export type Handle = bigint | number;

/** Names of the constants that are used. */
type Constant = 'world' | 'byte' | 'float' | 'sum' | 'noInfo' | 'errorsReturn';

/** Differences between the binary interfaces of MPI libraries. */
interface Interface {
  readonly files: readonly string[];
  /** C type of handles. */
  readonly handle: 'void *' | 'int';
  readonly handleBytes: number;
  /** `MPI_STATUSES_IGNORE`. */
  readonly ignoredStatuses: bigint;
  /** `MPI_COMM_TYPE_SHARED`. */
  readonly sharedType: number;
  constant(name: Constant, library: KoffiLibrary, koffi: Koffi): Handle;
}

/** Constants of Open MPI are the addresses of these variables. */
const OPEN_MPI_SYMBOLS: Readonly<Record<Constant, string>> = {
  world: 'ompi_mpi_comm_world',
  byte: 'ompi_mpi_byte',
  float: 'ompi_mpi_float',
  sum: 'ompi_mpi_op_sum',
  noInfo: 'ompi_mpi_info_null',
  errorsReturn: 'ompi_mpi_errors_return',
};

/** Constants of the MPICH ABI initiative: https://www.mpich.org/abi/ */
const MPICH_CONSTANTS: Readonly<Record<Constant, number>> = {
  world: 0x44000000,
  byte: 0x4c00010d,
  float: 0x4c00040a,
  sum: 0x58000003,
  noInfo: 0x1c000000,
  errorsReturn: 0x54000001,
};

/** The binary interfaces of the families of MPI libraries. */
export const INTERFACES: Readonly<Record<MpiFamily, Interface>> = {
  'Open MPI': {
    files: ['libmpi.so.40', 'libmpi.so.80', 'libmpi.so', 'libmpi.40.dylib', 'libmpi.dylib'],
    handle: 'void *',
    handleBytes: 8,
    ignoredStatuses: 0n,
    sharedType: 0,
    constant: (name, library, koffi) => koffi.address(library.symbol(OPEN_MPI_SYMBOLS[name], 'void *')),
  },
  MPICH: {
    files: ['libmpich.so.12', 'libmpi.so.12', 'libmpich.so', 'libmpi.so', 'libmpi.12.dylib', 'libmpi.dylib'],
    handle: 'int',
    handleBytes: 4,
    ignoredStatuses: 1n,
    sharedType: 1,
    constant: (name) => MPICH_CONSTANTS[name],
  },
};

/** Whether a library has the binary interface of a family: both name their files `libmpi.so`. */
export const isOfFamily = (family: MpiFamily, library: KoffiLibrary): boolean => {
  let isOpenMpi = true;
  try {
    library.symbol(OPEN_MPI_SYMBOLS.world, 'void *');
  } catch {
    isOpenMpi = false;
  }
  return isOpenMpi === (family === 'Open MPI');
};

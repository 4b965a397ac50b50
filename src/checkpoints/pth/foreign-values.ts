import {
  InertObject,
  type PickleConstructor,
  PickleGlobal,
  type PickleValue,
  UnknownObject,
} from '../pickle/pickle-values.ts';
import { orderedDict } from '../pickle/pickle.ts';

/**
 * Values of other libraries beside the weights of a checkpoint: numpy scalars are read as numbers, `defaultdict` as a
 * dictionary, and objects of any other class become inert, so that they never keep a file from loading.
 */

class NumpyDtype extends InertObject {
  readonly code: string;
  littleEndian = true;

  constructor(code: string) {
    super();
    this.code = code;
  }

  describe(): string {
    return `numpy.dtype(${this.code})`;
  }
}

type ReadNumber = (view: DataView, littleEndian: boolean) => PickleValue;

const safe = (value: bigint): number | bigint => (BigInt(Number(value)) === value ? Number(value) : value);

/** Readers of numpy's scalars, by the dtype's code. */
const NUMPY_SCALARS: Readonly<Record<string, readonly [bytes: number, read: ReadNumber]>> = {
  f8: [8, (view, little) => view.getFloat64(0, little)],
  f4: [4, (view, little) => view.getFloat32(0, little)],
  i8: [8, (view, little) => safe(view.getBigInt64(0, little))],
  i4: [4, (view, little) => view.getInt32(0, little)],
  i2: [2, (view, little) => view.getInt16(0, little)],
  i1: [1, (view) => view.getInt8(0)],
  u8: [8, (view, little) => safe(view.getBigUint64(0, little))],
  u4: [4, (view, little) => view.getUint32(0, little)],
  u2: [2, (view, little) => view.getUint16(0, little)],
  u1: [1, (view) => view.getUint8(0)],
  b1: [1, (view) => view.getUint8(0) !== 0],
};

const numpyDtype: PickleConstructor = ([code]) =>
  typeof code === 'string' && code.length <= 16 ? new NumpyDtype(code) : new UnknownObject('numpy.dtype');

/** `numpy.core.multiarray.scalar(dtype, bytes)`. */
const numpyScalar: PickleConstructor = ([dtype, contents]) => {
  const unknown = new UnknownObject('numpy.generic');
  if (!(dtype instanceof NumpyDtype) || !(contents instanceof Uint8Array)) return unknown;
  const code = dtype.code.replace(/^[<|=>]/, '');
  const [bytes, read] = (Object.hasOwn(NUMPY_SCALARS, code) && NUMPY_SCALARS[code]) || [];
  if (read === undefined || contents.byteLength !== bytes) return unknown;
  return read(new DataView(contents.buffer, contents.byteOffset, bytes), dtype.littleEndian);
};

/** Sets the state of a value of another library. @returns whether the value takes a state */
export const setForeignState = (target: PickleValue, state: PickleValue): boolean => {
  if (!(target instanceof NumpyDtype)) return false;
  if (Array.isArray(state)) target.littleEndian = state[1] !== '>';
  return true;
};

const defaultDict: PickleConstructor = ([_factory, ...items], call) => orderedDict(items, call);

const named = (pythonName: string, construct: PickleConstructor): [string, PickleGlobal] => [
  pythonName,
  new PickleGlobal(pythonName, construct),
];

/** Globals of Python and NumPy that checkpoints of other libraries use, with inert replacements. */
export const FOREIGN_GLOBALS: ReadonlyMap<string, PickleGlobal> = new Map([
  named('collections.defaultdict', defaultDict),
  named('numpy.dtype', numpyDtype),
  named('numpy.core.multiarray.scalar', numpyScalar),
  named('numpy._core.multiarray.scalar', numpyScalar),
]);

/** Modules and functions with which a pickle runs commands or code. Nothing that uses them is a checkpoint. */
const REFUSED_MODULES =
  /^(os|posix|nt|subprocess|sys|shutil|socket|pty|commands|importlib|runpy|code|codeop|ctypes|webbrowser|multiprocessing)(\.|$)/;
const REFUSED_NAMES = new Set([
  '__import__',
  'eval',
  'exec',
  'execfile',
  'compile',
  'open',
  'system',
  'popen',
  '_load_from_bytes',
]);

/** Inert stand-in for a class or function that is not on the allow-list; undefined for those that run code. */
export const unknownGlobal = (pythonName: string): PickleGlobal | undefined => {
  const name = pythonName.slice(pythonName.lastIndexOf('.') + 1);
  if (REFUSED_MODULES.test(pythonName) || REFUSED_NAMES.has(name)) return undefined;
  return new UnknownObject(pythonName.slice(0, 200));
};

import { existsSync, readFileSync } from 'node:fs';
import { dirname, isAbsolute, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { MdetrError } from '../../src/errors.ts';

/**
 * Reader of the reference data (outputs of the official code). A case is a folder with `manifest.json` (names, types,
 * shapes, byte ranges), `data.bin` (raw little-endian values) and `case.json` (configuration, captions, targets).
 */

/** Typed array of each manifest dtype. */
export interface ReferenceArrays {
  readonly f32: Float32Array;
  readonly f64: Float64Array;
  readonly i32: Int32Array;
  readonly i64: BigInt64Array;
  readonly u8: Uint8Array;
}
export type ReferenceDtype = keyof ReferenceArrays;

interface TensorOf<D extends ReferenceDtype> {
  readonly name: string;
  readonly dtype: D;
  readonly shape: readonly number[];
  /** Row-major values: a fresh copy, which the caller may change. */
  readonly data: ReferenceArrays[D];
  /** Largest difference between this tensor and the float64 run of the original, where it was recorded. */
  readonly maxAbsDiffF64?: number;
  /** Largest magnitude in the float64 run, where it was recorded. */
  readonly maxAbs?: number;
}
export type ReferenceTensor = { readonly [D in ReferenceDtype]: TensorOf<D> }[ReferenceDtype];

interface ManifestEntry {
  readonly name: string;
  readonly dtype: ReferenceDtype;
  readonly shape: readonly number[];
  readonly file: string;
  readonly byteOffset: number;
  readonly byteLength: number;
  readonly maxAbsDiffF64?: number;
  readonly maxAbs?: number;
}

/**
 * Contents of `case.json`. The type is loose on purpose: cases differ, and a test names the fields that it expects.
 * Annotate at the place of use: `const { captions } = loadCase('tiny').json as { captions: string[] }`.
 */
export type ReferenceJson = Readonly<Record<string, unknown>>;

const arrayOf: { readonly [D in ReferenceDtype]: (buffer: ArrayBuffer) => ReferenceArrays[D] } = {
  f32: (buffer) => new Float32Array(buffer),
  f64: (buffer) => new Float64Array(buffer),
  i32: (buffer) => new Int32Array(buffer),
  i64: (buffer) => new BigInt64Array(buffer),
  u8: (buffer) => new Uint8Array(buffer),
};
const bytesPer: Readonly<Record<ReferenceDtype, number>> = { f32: 4, f64: 8, i32: 4, i64: 8, u8: 1 };

const projectRoot = resolve(dirname(fileURLToPath(import.meta.url)), '../..');
/** The full reference data, beside the project. Tests that need it must `skipIf` it is missing. */
export const sharedReference = join(projectRoot, '..', 'shared', 'reference');
/** The small part of the reference data that is in the repository. */
export const fixtureReference = join(projectRoot, 'test', 'fixtures', 'reference');

/** Path of `relative` in the carried fixtures, else in the full reference data; undefined when it is in neither. */
export const findReference = (relative: string): string | undefined =>
  [join(fixtureReference, relative), join(sharedReference, relative)].find((path) => existsSync(path));

/**
 * Path of `relative` in the reference data.
 *
 * @throws {MdetrError} naming the folders that were searched
 */
export const referencePath = (relative: string): string => {
  const path = findReference(relative);
  if (path === undefined)
    throw new MdetrError(`No reference ${relative}: neither in ${fixtureReference} nor in ${sharedReference}.`);
  return path;
};

/** Parsed JSON file of the reference data, `relative` to its root; the test states what it expects (`as …`). */
export const loadReferenceJson = (relative: string): unknown => readJson(referencePath(relative));

/** True when `loadCase(nameOrDir)` can find that case: `it.skipIf(!hasCase('r101'))('… (needs ../shared/reference)')`. */
export const hasCase = (nameOrDir: string): boolean => findCase(nameOrDir) !== undefined;

/** Folder of a case, given by name (`'tiny'`) or path: fixtures first, then the full reference data. */
const findCase = (nameOrDir: string): string | undefined =>
  [
    ...(isAbsolute(nameOrDir) || nameOrDir.includes('/') ? [resolve(nameOrDir)] : []),
    join(fixtureReference, 'cases', nameOrDir),
    join(sharedReference, 'cases', nameOrDir),
  ].find((dir) => existsSync(join(dir, 'manifest.json')));

/** Tensors of one case by name, and its `case.json`. */
export class ReferenceCase {
  readonly dir: string;
  /** `case.json`, or an empty object when there is none. */
  readonly json: ReferenceJson;
  /** Names in the order of the manifest. */
  readonly names: readonly string[];
  private readonly entries: ReadonlyMap<string, ManifestEntry>;
  private readonly files = new Map<string, Buffer>();

  /** `manifest` is the manifest's file name within `dir`. */
  constructor(dir: string, manifest = 'manifest.json') {
    this.dir = dir;
    const { tensors } = readJson(join(dir, manifest)) as { tensors: readonly ManifestEntry[] };
    this.entries = new Map(tensors.map((entry) => [entry.name, entry]));
    this.names = tensors.map(({ name }) => name);
    const json = join(dir, 'case.json');
    this.json = existsSync(json) ? (readJson(json) as ReferenceJson) : {};
  }

  has(name: string): boolean {
    return this.entries.has(name);
  }

  /** Throws when the case has no such tensor, or when its bytes do not fit its shape. */
  tensor(name: string): ReferenceTensor {
    const entry = this.entries.get(name);
    if (entry === undefined)
      throw new MdetrError(`${this.dir} has no tensor ${name}. It has: ${this.names.join(', ')}.`);
    const { dtype, shape, file, byteOffset, byteLength, maxAbsDiffF64, maxAbs } = entry;
    const wanted = shape.reduce((product, size) => product * size, 1) * bytesPer[dtype];
    const bytes = this.fileBytes(file);
    if (wanted !== byteLength || byteOffset + byteLength > bytes.length)
      throw new MdetrError(
        `${join(this.dir, file)}: ${name} ${dtype}[${shape}] needs ${wanted} bytes, its range is ` +
          `${byteOffset}+${byteLength} of ${bytes.length}.`,
      );
    const buffer = new Uint8Array(bytes.subarray(byteOffset, byteOffset + byteLength)).buffer;
    return { name, dtype, shape, data: arrayOf[dtype](buffer), maxAbsDiffF64, maxAbs } as ReferenceTensor;
  }

  /** `tensor` of a known type. Throws when the stored type differs. */
  typed<D extends ReferenceDtype>(name: string, dtype: D): TensorOf<D> {
    const tensor = this.tensor(name);
    if (tensor.dtype !== dtype) throw new MdetrError(`${this.dir}: ${name} is ${tensor.dtype}, not ${dtype}.`);
    return tensor as unknown as TensorOf<D>;
  }

  /** Values of a float32 tensor. */
  f32(name: string): Float32Array {
    return this.typed(name, 'f32').data;
  }

  /** Values of an int32 tensor. */
  i32(name: string): Int32Array {
    return this.typed(name, 'i32').data;
  }

  /** Values of a byte (or boolean) tensor. */
  u8(name: string): Uint8Array {
    return this.typed(name, 'u8').data;
  }

  private fileBytes(file: string): Buffer {
    let bytes = this.files.get(file);
    if (bytes === undefined) {
      bytes = readFileSync(join(this.dir, file));
      this.files.set(file, bytes);
    }
    return bytes;
  }
}

/**
 * Opens a case by name (`'tiny'`) or folder. Copies under `test/fixtures/reference/cases` win over `../shared/reference`
 * so that tests mean the same where both exist.
 */
export const loadCase = (nameOrDir: string): ReferenceCase => {
  const dir = findCase(nameOrDir);
  if (dir === undefined)
    throw new MdetrError(
      `No case ${nameOrDir}: no manifest.json in that folder, in ${join(fixtureReference, 'cases')} or in ` +
        `${join(sharedReference, 'cases')}.`,
    );
  return new ReferenceCase(dir);
};

function readJson(path: string): unknown {
  return JSON.parse(readFileSync(path, 'utf8'));
}

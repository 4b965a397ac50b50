import { MdetrError, quoted } from '../../errors.ts';
import type { TensorEntry } from '../tensor-entry.ts';
import { bytesPerElement, CHECKPOINT_DTYPES, type CheckpointDtype, elementCount, toFloat32 } from '../dtype.ts';
import { joinInt8Weights } from '../int8-entries.ts';
import { type ByteSource, type FileSource, readBytes } from '../byte-source.ts';

/** An open safetensors file. Tensors are in the order of the header and read on demand. */
export interface SafetensorsFile {
  readonly path: string;
  readonly tensors: ReadonlyMap<string, TensorEntry>;
  /** `__metadata__` of the header. */
  readonly metadata: Readonly<Record<string, string>>;
  close(): Promise<void>;
}

/** Size of the field that holds the header's length. */
const LENGTH_BYTES = 8;
/** Enough for 200,000 tensors. The format allows 100 MB, which would take half a gigabyte when parsed. */
const MAX_HEADER_BYTES = 32 * 2 ** 20;
const MAX_TENSORS = 200_000;
const MAX_DIMENSIONS = 64;

const DTYPES = new Map(CHECKPOINT_DTYPES.map((dtype) => [dtype.toUpperCase(), dtype]));

/** Whether a file that starts with `head` can be safetensors: an opening brace follows the header's length. */
export const isSafetensors = (head: Uint8Array): boolean => head[LENGTH_BYTES] === 0x7b;

/** Checks the header of an open safetensors file as `openSafetensors` does. Closes the file if it is rejected. */
export const safetensorsOf = async (file: FileSource): Promise<SafetensorsFile> => {
  try {
    const { tensors, metadata } = await readHeader(file);
    return { path: file.name, tensors: joinInt8Weights(tensors, file.name), metadata, close: () => file.close() };
  } catch (error) {
    await file.close();
    throw error;
  }
};

interface HeaderTensor {
  readonly name: string;
  readonly dtype: CheckpointDtype;
  readonly shape: readonly number[];
  /** Byte offsets relative to the end of the header. */
  readonly begin: number;
  readonly end: number;
}

const readHeader = async (file: ByteSource): Promise<Pick<SafetensorsFile, 'tensors' | 'metadata'>> => {
  const refuse = (what: string): MdetrError => new MdetrError(`${file.name}: damaged safetensors file: ${what}`);
  if (file.size < LENGTH_BYTES) throw refuse(`${file.size} bytes are too few`);
  const length = Number(new DataView((await readBytes(file, 0, LENGTH_BYTES)).buffer).getBigUint64(0, true));
  if (length > MAX_HEADER_BYTES) throw refuse(`its header declares ${length} bytes, more than ${MAX_HEADER_BYTES}`);
  if (LENGTH_BYTES + length > file.size) {
    throw refuse(`truncated: a header of ${length} bytes in a file of ${file.size}`);
  }
  const header = parseHeader(await readBytes(file, LENGTH_BYTES, length), refuse);

  const metadata: [string, string][] = [];
  const tensors: HeaderTensor[] = [];
  for (const [name, content] of Object.entries(header)) {
    if (name === '__metadata__') metadata.push(...parseMetadata(content, refuse));
    else tensors.push(parseTensor(name, content, refuse));
  }
  if (tensors.length > MAX_TENSORS) throw refuse(`${tensors.length} tensors, more than ${MAX_TENSORS}`);

  let covered = 0;
  for (const { name, begin, end } of tensors.toSorted((a, b) => a.begin - b.begin || a.end - b.end)) {
    if (begin < covered) throw refuse(`tensor ${quoted(name)} overlaps the one before it`);
    if (begin > covered) throw refuse(`bytes ${covered} to ${begin} belong to no tensor`);
    covered = end;
  }
  const dataStart = LENGTH_BYTES + length;
  if (covered !== file.size - dataStart) {
    throw refuse(`its tensors take ${covered} bytes, the file has ${file.size - dataStart} (truncated?)`);
  }
  return {
    tensors: new Map(tensors.map((tensor) => [tensor.name, entryOf(file, tensor, dataStart)])),
    metadata: Object.fromEntries(metadata),
  };
};

type Refuse = (what: string) => MdetrError;

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const parseHeader = (bytes: Uint8Array, refuse: Refuse): Record<string, unknown> => {
  let header: unknown;
  try {
    header = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (error) {
    throw new MdetrError(refuse('its header is not JSON').message, { cause: error });
  }
  if (!isRecord(header)) throw refuse('its header is not a JSON object');
  return header;
};

const parseMetadata = (content: unknown, refuse: Refuse): [string, string][] => {
  if (!isRecord(content)) throw refuse('its metadata is not a JSON object');
  return Object.entries(content).map(([key, value]) => {
    if (typeof value !== 'string') throw refuse(`its metadata ${quoted(key)} is not a string`);
    return [key, value];
  });
};

const isCount = (value: unknown): value is number =>
  typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;

const parseTensor = (name: string, content: unknown, refuse: Refuse): HeaderTensor => {
  const which = `tensor ${quoted(name)}`;
  if (!isRecord(content)) throw refuse(`${which} has no description`);
  const { dtype: dtypeName, shape, data_offsets: offsets } = content;
  const dtype = typeof dtypeName === 'string' ? DTYPES.get(dtypeName) : undefined;
  if (dtype === undefined) throw refuse(`${which} has the unknown dtype ${quoted(dtypeName)}`);
  if (!Array.isArray(shape) || shape.length > MAX_DIMENSIONS || !shape.every(isCount)) {
    throw refuse(`${which} has no valid shape`);
  }
  if (!Array.isArray(offsets) || offsets.length !== 2 || !offsets.every(isCount)) {
    throw refuse(`${which} has no valid data_offsets`);
  }
  const [begin, end] = offsets as [number, number];
  const bytes = (elementCount(shape) ?? Infinity) * bytesPerElement(dtype);
  if (end - begin !== bytes) {
    throw refuse(`${which} of shape [${shape}] needs ${bytes} bytes, its data_offsets say ${end - begin}`);
  }
  return { name, dtype, shape, begin, end };
};

const entryOf = (
  file: ByteSource,
  { name, dtype, shape, begin, end }: HeaderTensor,
  dataStart: number,
): TensorEntry => {
  const read = (): Promise<Uint8Array> => readBytes(file, dataStart + begin, end - begin);
  return {
    name,
    dtype,
    shape,
    byteLength: end - begin,
    read,
    readFloat32: async () => toFloat32(await read(), dtype),
  };
};

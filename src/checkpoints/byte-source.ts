import { MdetrError } from '../errors.ts';

/** Random access to the bytes of a file, so that files of gigabytes are never held in memory. */
export interface ByteSource {
  /** Path of the file, for messages. */
  readonly name: string;
  /** Size in bytes. */
  readonly size: number;
  /** Reads bytes from `position` on until `target` is full. @throws {MdetrError} for a range outside the file */
  readInto(target: Uint8Array, position: number): Promise<void>;
}

export interface FileSource extends ByteSource {
  close(): Promise<void>;
}

/** Allocates memory for a part of a file. @throws {MdetrError} beyond Node's limit (4 GiB in Node 20) or the available memory */
export const allocate = (length: number, name: string): Uint8Array => {
  try {
    return new Uint8Array(length);
  } catch (error) {
    throw new MdetrError(`${name}: not enough memory for ${length} bytes`, { cause: error });
  }
};

/** Reads `length` bytes from `position` on into a new array. */
export const readBytes = async (source: ByteSource, position: number, length: number): Promise<Uint8Array> => {
  // Checked before allocating: lengths come from the file and may be wrong.
  if (!Number.isSafeInteger(length) || length < 0 || position + length > source.size) {
    throw new MdetrError(
      `${source.name}: truncated: ${length} bytes from ${position} on are needed, the file ends at byte ${source.size}`,
    );
  }
  const target = allocate(length, source.name);
  await source.readInto(target, position);
  return target;
};

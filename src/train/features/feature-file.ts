import { closeSync, existsSync, fstatSync, openSync, readSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import * as z from 'zod';
import type { HostTensor } from '../../engine/graph/index.ts';
import { float16ToFloat32, float32ToFloat16 } from '../../checkpoints/half.ts';
import { MdetrError, messageOf } from '../../errors.ts';
import { firstIssue } from '../../options/first-issue.ts';
import { readJsonFileSync } from '../../files/json/json-file.ts';
import { makeFolderSync } from '../../files/make-folder.ts';

/** Name and shape of a tensor of a record, for one image. */
export interface FeatureSpec {
  readonly name: string;
  readonly shape: readonly number[];
}

const headerSchema = z.strictObject({
  version: z.literal(1),
  /** Digest of what the features depend on: backbone weights and images. */
  digest: z.string(),
  images: z.number().int().positive().max(100_000_000),
  tensors: z
    .array(z.strictObject({ name: z.string(), shape: z.array(z.number().int().positive()).max(8) }))
    .min(1)
    .max(64),
});

type Header = z.infer<typeof headerSchema>;

const HEADER_FILE = 'features.json';
const VALUES_FILE = 'features.bin';
const DONE_FILE = 'features.done';

const elementsOf = ({ shape }: FeatureSpec): number => shape.reduce((product, size) => product * size, 1);

/**
 * Features of images in a folder, as half floats: what a frozen backbone sees is computed once. Every image has a record of
 * fixed length, so that several processes may write at once, and a byte in `features.done` once the record is complete.
 */
export class FeatureFile {
  private readonly elements: number;

  private constructor(
    readonly folder: string,
    readonly header: Header,
    private readonly values: number,
    private readonly done: number,
  ) {
    this.elements = header.tensors.reduce((sum, spec) => sum + elementsOf(spec), 0);
  }

  /**
   * Opens features for reading.
   *
   * @throws {MdetrError} for a folder without features, and for files that do not belong together
   */
  static open(folder: string): FeatureFile {
    const path = join(folder, HEADER_FILE);
    if (!existsSync(path))
      throw new MdetrError(`${folder}: has no features: compute them first (scripts/photos/compute-features.ts)`);
    const parsed = headerSchema.safeParse(readJsonFileSync(path));
    if (!parsed.success) {
      const { field, message } = firstIssue(parsed.error);
      throw new MdetrError(`${path}: is not a header of features: ${field} ${message}`);
    }
    try {
      const values = openSync(join(folder, VALUES_FILE), 'r');
      const done = openSync(join(folder, DONE_FILE), 'r');
      return new FeatureFile(folder, parsed.data, values, done);
    } catch (error) {
      throw new MdetrError(`${folder}: the features cannot be read: ${messageOf(error)}`, { cause: error });
    }
  }

  /**
   * Opens features for writing; those that are there are kept.
   *
   * @throws {MdetrError} if the folder holds features of other images or weights
   */
  static create(folder: string, digest: string, images: number, tensors: readonly FeatureSpec[]): FeatureFile {
    makeFolderSync(folder);
    const header: Header = {
      version: 1,
      digest,
      images,
      tensors: tensors.map(({ name, shape }) => ({ name, shape: [...shape] })),
    };
    const path = join(folder, HEADER_FILE);
    if (existsSync(path)) {
      if (JSON.stringify(headerSchema.safeParse(readJsonFileSync(path)).data) !== JSON.stringify(header))
        throw new MdetrError(
          `${folder}: holds features of other images or weights: delete it, or choose another folder`,
        );
    } else writeFileSync(path, JSON.stringify(header));
    const open = (name: string): number => openSync(join(folder, name), existsSync(join(folder, name)) ? 'r+' : 'w+');
    return new FeatureFile(folder, header, open(VALUES_FILE), open(DONE_FILE));
  }

  /** Whether the record of an image is complete. */
  has(image: number): boolean {
    const byte = Buffer.alloc(1);
    return readSync(this.done, byte, 0, 1, image) === 1 && byte[0] === 1;
  }

  /** Writes the record of an image. */
  write(image: number, tensors: Readonly<Record<string, Float32Array>>): void {
    const record = Buffer.alloc(this.elements * 2);
    let offset = 0;
    for (const spec of this.header.tensors) {
      const values = tensors[spec.name];
      if (values?.length !== elementsOf(spec))
        throw new Error(`internal: feature "${spec.name}" has ${values?.length ?? 0} values, not ${elementsOf(spec)}`);
      const stored = float32ToFloat16(values);
      record.set(new Uint8Array(stored.buffer, stored.byteOffset, stored.byteLength), offset);
      offset += stored.byteLength;
    }
    writeSync(this.values, record, 0, record.length, image * record.length);
    writeSync(this.done, Uint8Array.of(1), 0, 1, image);
  }

  /**
   * Reads the record of an image.
   *
   * @throws {MdetrError} if it has not been computed, or the file is truncated
   */
  read(image: number): Readonly<Record<string, HostTensor>> {
    if (!this.has(image)) throw new MdetrError(`${this.folder}: the features of image ${image} have not been computed`);
    const record = new Uint16Array(this.elements);
    const bytes = new Uint8Array(record.buffer);
    if (readSync(this.values, bytes, 0, bytes.length, image * bytes.length) !== bytes.length)
      throw new MdetrError(
        `${join(this.folder, VALUES_FILE)}: is truncated at image ${image}: compute the features again`,
      );
    const result: Record<string, HostTensor> = {};
    let offset = 0;
    for (const spec of this.header.tensors) {
      const length = elementsOf(spec);
      const data = float16ToFloat32(record.subarray(offset, offset + length));
      offset += length;
      result[spec.name] = { dtype: 'float32', shape: spec.shape, data };
    }
    return result;
  }

  /** Number of complete records. */
  get count(): number {
    const bytes = Buffer.alloc(fstatSync(this.done).size);
    readSync(this.done, bytes, 0, bytes.length, 0);
    return bytes.reduce((sum, byte) => sum + byte, 0);
  }

  close(): void {
    closeSync(this.values);
    closeSync(this.done);
  }
}

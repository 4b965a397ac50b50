import * as z from 'zod';
import { MdetrError, quoted } from '../errors.ts';
import { firstIssue } from '../options/first-issue.ts';

/** Version of the file's form. */
export const QUANTIZATION_VERSION = 1;
/** Advice of errors about a file that cannot be used. */
const WAY_OUT = 'make it again with: mdetr quantize';

/** A way to choose the range of a tensor from its values. */
export type RangeMethod = 'mse' | 'percentile' | 'minmax';

/** All values of `RangeMethod`. */
export const RANGE_METHODS = ['mse', 'percentile', 'minmax'] as const satisfies readonly RangeMethod[];

/** Smallest and largest value of a tensor that its 8-bit form represents. */
export type ActivationRange = readonly [low: number, high: number];

/** Ranges by name of a tensor: `LAYER.input` or `LAYER.output`. */
export type ActivationRanges = Readonly<Record<string, ActivationRange>>;

/** Contents of a model folder's `quantization.json`: the ranges of activations that `mdetr quantize` measured. */
export interface Quantization {
  /** How the ranges were chosen. */
  readonly method: RangeMethod;
  /** Images that were run. */
  readonly data: {
    /** Name of their folder. */
    readonly name: string;
    /** Number of images. */
    readonly images: number;
    /** SHA-256 of the sizes and pixels of the images, in the order in which they were run. */
    readonly sha256: string;
  };
  /** Ranges of the tensors. */
  readonly ranges: ActivationRanges;
}

const LARGEST_FLOAT32 = 3.4e38;
/** More layers than any network has; a larger file is not ours. */
const MAX_RANGES = 10_000;
const MAX_NAME_LENGTH = 300;

const bound = z.number().min(-LARGEST_FLOAT32).max(LARGEST_FLOAT32);
const schema = z.object({
  format: z.literal('mdetr-quantization'),
  method: z.enum(RANGE_METHODS),
  data: z.object({ name: z.string(), images: z.int().min(1), sha256: z.string().regex(/^[\da-f]{64}$/) }),
  ranges: z.record(z.string(), z.tuple([bound, bound])),
});

/** The contents in a sentence, for people. */
export const describeQuantization = ({ method, data, ranges }: Quantization): string =>
  `${Object.keys(ranges).length} ranges, ${method}, of ${data.images} images of "${data.name}"`;

/** The value of a `quantization.json`. */
export const quantizationJson = ({ method, data, ranges }: Quantization): Record<string, unknown> => ({
  format: 'mdetr-quantization',
  version: QUANTIZATION_VERSION,
  method,
  data,
  ranges,
});

/**
 * Checks the value of a `quantization.json`.
 *
 * @param source names the file in errors
 * @throws {MdetrError} if it has another form or version, or a range that is none
 */
export const parseQuantization = (value: unknown, source: string): Quantization => {
  const version = typeof value === 'object' && value !== null && 'version' in value ? value.version : undefined;
  if (version !== QUANTIZATION_VERSION)
    throw new MdetrError(
      `${source}: has version ${JSON.stringify(version ?? null).slice(0, 100)}, this program reads ${QUANTIZATION_VERSION}; ${WAY_OUT}`,
    );
  const parsed = schema.safeParse(value);
  if (!parsed.success) {
    const { field, message } = firstIssue(parsed.error);
    throw new MdetrError(`${source}: "${field}" ${message}; ${WAY_OUT}`);
  }
  const { method, data, ranges } = parsed.data;
  const names = Object.keys(ranges);
  if (names.length > MAX_RANGES) throw new MdetrError(`${source}: has ${names.length} ranges; ${WAY_OUT}`);
  for (const [name, [low, high]] of Object.entries(ranges)) {
    if (name.length > MAX_NAME_LENGTH || !/^[\w.]+\.(input|output)$/.test(name))
      throw new MdetrError(`${source}: ${quoted(name)} is not the name of a layer's input or output; ${WAY_OUT}`);
    if (low > high)
      throw new MdetrError(`${source}: the range of ${quoted(name)} is from ${low} to ${high}; ${WAY_OUT}`);
  }
  return { method, data, ranges };
};

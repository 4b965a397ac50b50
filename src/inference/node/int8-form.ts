import { hasIntegerDotProducts } from '../../engine/runtime/node/integer-dot-products.ts';
import { readQuantization } from '../../model-folder/node/quantization-file.ts';
import { describeQuantization, type ActivationRanges } from '../../model-folder/quantization.ts';

/** How a model in int8 computes. */
export interface Int8Form {
  /** Ranges with which the backbone computes with integers; undefined: with floats. */
  readonly ranges: ActivationRanges | undefined;
  /** Sentence for the load report. */
  readonly note: string;
}

/**
 * Decides how a model in int8 computes: with integers in the backbone if `mdetr quantize` measured the ranges and the CPU
 * has the instructions for it, else with floats on 8-bit weights.
 *
 * @param path model folder or weight file
 * @throws {MdetrError} if the ranges are broken
 */
export const int8Form = async (path: string, device: string): Promise<Int8Form> => {
  const quantization = await readQuantization(path);
  const floats = (reason: string): Int8Form => ({ ranges: undefined, note: `int8: weights only (${reason})` });
  if (quantization === undefined) return floats('no quantization.json, which "mdetr quantize" writes');
  if (device !== 'cpu') return floats(`device ${device} computes with floats`);
  if (!hasIntegerDotProducts()) return floats('the CPU has no VNNI, AMX or Arm instructions for integer products');
  const note = `int8: the backbone computes with integers (${describeQuantization(quantization)})`;
  return { ranges: quantization.ranges, note };
};

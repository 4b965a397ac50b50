import { rewriteProgram, type NamedTensors, type OpNode, type Program, type Tensor } from '../../engine/graph/index.ts';
import { fakeQuantize, int8Conv, type Uint8Grid } from '../../engine/ops/index.ts';
import { MdetrError } from '../../errors.ts';
import type { ActivationRange, ActivationRanges } from '../../model-folder/quantization.ts';
import { findQuantizationPoints, type QuantizableConv } from './quantization-points.ts';

/** Smallest scale: a tensor of zeros needs one as well. */
const MIN_SCALE = 1e-12;
const STEPS = 255;

/** The grid of a range, widened to contain 0. */
export const gridOf = ([low, high]: ActivationRange): Uint8Grid => {
  const [bottom, top] = [Math.min(0, low), Math.max(0, high)];
  const scale = Math.max(Math.fround((top - bottom) / STEPS), MIN_SCALE);
  return { scale, zeroPoint: Math.min(STEPS, Math.round(Math.abs(bottom) / scale)) };
};

/** Result of `quantizeProgram`. */
export interface QuantizedProgram<P extends Program> {
  readonly program: P;
  /** Number of convolutions that compute with integers. */
  readonly convolutions: number;
}

/**
 * Makes the convolutions of the backbone compute with 8-bit integers, those of which the ranges of input and output are
 * known. The results of these layers, and of sums and poolings between two of them, are rounded to 256 values.
 *
 * @throws {MdetrError} if the ranges are those of another network, or no layer computes with integers
 */
export const quantizeProgram = <Inputs extends NamedTensors, Outputs extends NamedTensors>(
  program: Program<Inputs, Outputs>,
  ranges: ActivationRanges,
): QuantizedProgram<Program<Inputs, Outputs>> => {
  const { convs, points } = findQuantizationPoints(program);
  if (convs.length === 0)
    throw new MdetrError('quantization.json: no layer of this network computes with integers; delete the file');
  const nameOf = new Map(Array.from(points, ([name, tensor]) => [tensor, name]));
  const rangeOf = (name: string | undefined): ActivationRange | undefined =>
    name !== undefined && Object.hasOwn(ranges, name) ? ranges[name] : undefined;
  const chosen = new Map<OpNode, QuantizableConv>();
  for (const conv of convs) {
    const isKnown =
      rangeOf(nameOf.get(conv.node.inputs[0]!)) !== undefined && rangeOf(`${conv.name}.output`) !== undefined;
    if (isKnown) chosen.set(conv.node, conv);
  }
  if (chosen.size === 0)
    throw new MdetrError(
      'quantization.json names none of the layers of this network; make it again with: mdetr quantize',
    );
  // Only the tensors that a chosen convolution reads or writes are rounded.
  const grids = new Map<Tensor, Uint8Grid>();
  for (const { node, name } of chosen.values()) {
    for (const tensor of [node.inputs[0]!, points.get(`${name}.output`)!])
      grids.set(tensor, gridOf(rangeOf(nameOf.get(tensor))!));
  }
  const rewritten = rewriteProgram(program, (node, inputs, keep) => {
    const conv = chosen.get(node);
    const outputs =
      conv === undefined
        ? keep()
        : [int8Conv(inputs[0]!, inputs[1]!, inputs[2], grids.get(node.inputs[0]!)!.scale, conv.node.attrs)];
    return outputs.map((output, index) => {
      const grid = grids.get(node.outputs[index]!);
      return grid === undefined ? output : fakeQuantize(output, grid);
    });
  });
  return { program: rewritten, convolutions: chosen.size };
};

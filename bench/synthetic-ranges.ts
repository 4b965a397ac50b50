import type { Program } from '../src/engine/graph/index.ts';
import type { Runtime, WeightSource } from '../src/engine/runtime/runtime.ts';
import { rangeProgram } from '../src/inference/quantization/range-program.ts';
import type { ActivationRanges } from '../src/model-folder/quantization.ts';

/** Ranges of all values of a network's activations on one image, as `mdetr quantize --method minmax` measures them. */
export const measureRanges = async (
  image: Program,
  weights: WeightSource,
  runtime: Runtime,
  pixels: Float32Array,
  [height, width]: readonly [number, number],
): Promise<ActivationRanges> => {
  const { program, names } = rangeProgram(image, 16);
  const session = await runtime.load(program, { weights });
  const data = pixels.subarray(0, 3 * height * width);
  const values = await session.run({ image: { dtype: 'float32', shape: [1, 3, height, width], data } });
  await session.dispose();
  return Object.fromEntries(
    names.map((name, index) => {
      const [negated, high] = values[`extremes.${index}`]!.data as unknown as [number, number];
      return [name, [-negated, high] as const];
    }),
  );
};

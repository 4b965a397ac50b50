/** Speed of the machine's largest matrix products through ONNX Runtime: what convolutions can reach at best. */
import { constant, defineProgram, tensorType, type Tensor } from '../src/engine/graph/index.ts';
import { fakeQuantize, int8Conv, matmul, reshape } from '../src/engine/ops/index.ts';
import { createRuntime } from '../src/engine/runtime/create-runtime.ts';

const SIDE = 1536;
const RUNS = 5;
/** A 1 × 1 convolution of so many pixels in a row is the product of two square matrices. */
const pointwise = { strides: [1, 1], pads: [0, 0, 0, 0], dilations: [1, 1], groups: 1 } as const;
const GRID = { scale: 1 / 128, zeroPoint: 128 };

const values = Float32Array.from({ length: SIDE * SIDE }, (_, index) => Math.sin(index));

/** Product of the input with a constant matrix, in floats, and four in a row as integers, with one conversion at each end. */
const PRODUCTS: Readonly<Record<'float32' | 'int8', { readonly count: number; readonly of: (x: Tensor) => Tensor }>> = {
  float32: {
    count: 1,
    of: (x) => matmul(constant({ dtype: 'float32', shape: [SIDE, SIDE], data: values }), x),
  },
  int8: {
    count: 4,
    of: (x) => {
      let map = fakeQuantize(reshape(x, [1, SIDE, 1, SIDE]), GRID);
      for (let layer = 1; layer <= 4; layer++) {
        const filter = constant({
          dtype: 'float32',
          shape: [SIDE, SIDE, 1, 1],
          data: values.map((value) => value / layer),
        });
        map = fakeQuantize(int8Conv(map, filter, undefined, GRID.scale, pointwise), GRID);
      }
      return reshape(map, [SIDE, SIDE]);
    },
  },
};

/** GFLOP/s (for int8: as many integer operations) of products of square matrices, the fastest of five runs. */
export const measurePeak = async (threads: number): Promise<Record<'float32' | 'int8', number>> => {
  const runtime = await createRuntime({ threads });
  const result = { float32: 0, int8: 0 };
  for (const precision of ['float32', 'int8'] as const) {
    const { count, of } = PRODUCTS[precision];
    const program = defineProgram({
      name: `peak-${precision}`,
      inputs: { x: tensorType([SIDE, SIDE]) },
      trace: ({ x }) => ({ y: of(x) }),
    });
    const session = await runtime.load(program);
    for (let run = 0; run <= RUNS; run++) {
      const started = performance.now();
      await session.run({ x: { dtype: 'float32', shape: [SIDE, SIDE], data: values } });
      const seconds = (performance.now() - started) / 1000;
      if (run > 0) result[precision] = Math.max(result[precision], (2 * count * SIDE ** 3) / seconds / 1e9);
    }
    await session.dispose();
  }
  return result;
};

import type { HostTensor } from '../engine/graph/index.ts';
import type { ParameterSpec } from '../nn/index.ts';
import { Random } from '../random/random.ts';

/** Initial value of a parameter. Depends only on the seed and the name of the parameter. */
export const initialValue = (spec: ParameterSpec, seed: number): HostTensor => {
  const data = spec.init(Random.ofParameter(seed, spec.name), spec.shape);
  return spec.dtype === 'int64'
    ? { dtype: 'int64', shape: spec.shape, data: BigInt64Array.from(data, (value) => BigInt(value)) }
    : { dtype: 'float32', shape: spec.shape, data };
};

import type { HostTensor } from '../../src/engine/graph/index.ts';
import type { MdetrNetwork } from '../../src/models/index.ts';
import type { WeightSource } from '../../src/engine/runtime/runtime.ts';

/** 32-bit FNV-1a hash of the UTF-8 bytes of a name. */
const hashOf = (name: string): number => {
  let hash = 2166136261;
  for (const byte of new TextEncoder().encode(name)) hash = Math.imul(hash ^ byte, 16777619);
  return hash >>> 0;
};

/** Pseudo-random values of a name and flat index, `map` of a uniform value in [0, 1): the rule of the reference data. */
export const syntheticNumbers = (name: string, count: number, map: (u: number) => number): Float32Array => {
  const hash = hashOf(name);
  const values = new Float32Array(count);
  for (let i = 0; i < count; i++) {
    let x = (hash + Math.imul(i, 0x9e3779b9)) >>> 0;
    x = Math.imul(x ^ (x >>> 16), 0x85ebca6b);
    x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35);
    x = (x ^ (x >>> 16)) >>> 0;
    values[i] = map(x / 4294967296);
  }
  return values;
};

const signed =
  (scale: number, offset = 0) =>
  (u: number): number =>
    offset + scale * (2 * u - 1);

/** Synthetic value of a `state_dict` entry in the reference data: the first rule that fits its name and shape. */
export const syntheticWeight = (name: string, shape: readonly number[]): HostTensor => {
  const count = shape.reduce((product, size) => product * size, 1);
  if (name.endsWith('position_ids')) {
    return { dtype: 'int64', shape, data: BigInt64Array.from({ length: count }, (_, index) => BigInt(index)) };
  }
  const [, d1 = 1, d2 = 1, d3 = 1] = shape;
  const rule = ((): ((u: number) => number) => {
    if (name.endsWith('running_mean')) return signed(0.1);
    if (name.endsWith('running_var')) return (u) => 1 + 0.5 * u;
    if (shape.length === 4) return signed(Math.sqrt(6 / (d1 * d2 * d3)));
    if (shape.length === 2) {
      if (/word_embeddings|position_embeddings|token_type_embeddings/.test(name)) return signed(0.05);
      return /(query_embed|qa_embed|CLS|row_embed|col_embed)\./.test(name) ? signed(1) : signed(Math.sqrt(3 / d1));
    }
    if (name.endsWith('bias')) return signed(0.1);
    if (name.endsWith('bn3.weight')) return signed(0.04, 0.4);
    return name.endsWith('bn2.weight') ? signed(0.05, 0.5) : signed(0.1, 1);
  })();
  return { dtype: 'float32', shape, data: syntheticNumbers(name, count, rule) };
};

/** Synthetic weights for a whole model. */
export const syntheticSource = (model: MdetrNetwork): WeightSource => ({
  digest: 'synthetic-1',
  read(name) {
    const spec = model.registry.get(name);
    if (spec === undefined) throw new Error(`internal: no parameter "${name}"`);
    return Promise.resolve(syntheticWeight(name, spec.shape));
  },
});

import { float32Tensor, input, makeProgram, type HostTensor, type Tensor } from '../../engine/graph/index.ts';
import {
  add,
  concat,
  div,
  matmul,
  maximum,
  mul,
  reshape,
  split,
  sqrt,
  square,
  sum,
  swapLastTwo,
} from '../../engine/ops/index.ts';
import type { Runtime, Session } from '../../engine/runtime/runtime.ts';
import { ValueScope } from '../../engine/runtime/value-scope.ts';
import type { Update } from './update-pass.ts';

/** Decay of the running mean of the gradient. */
const MOMENTUM = 0.95;
/** Coefficients of the polynomial a·x + b·x³ + c·x⁵ that takes singular values between 0 and 1 close to 1. */
const [A, B, C] = [3.4445, -4.775, 2.0315];
/** Number of times that the polynomial is applied. */
const ITERATIONS = 5;
/** Least norm that a direction is divided by. */
const EPSILON = 1e-7;
/** Root mean square of AdamW's updates, which those of Muon are scaled to (arXiv:2502.16982, section 2.2). */
const UPDATE_RMS = 0.2;

const LAYERS = /(^|\.)transformer\.(encoder|decoder|text_encoder\.encoder)\.layers?\./;

/** Whether Muon updates a parameter: the matrices in the layers of text encoder, encoder and decoder. */
export const isHiddenMatrix = (name: string, shape: readonly number[]): boolean =>
  shape.length === 2 && LAYERS.test(name);

/** Number of matrices that a parameter consists of: queries, keys and values have one each. */
const matricesIn = (name: string): number => (name.endsWith('in_proj_weight') ? 3 : 1);

/**
 * The matrix with the singular vectors of a matrix and singular values between about 0.7 and 1.2, by Newton-Schulz iterations.
 *
 * @param matrices (n, R, C) with R ≤ C
 */
export const orthogonalized = (matrices: Tensor): Tensor => {
  const norm = sqrt(sum(square(matrices), [1, 2], { keepDims: true }));
  let x = div(matrices, maximum(norm, EPSILON));
  for (let k = 0; k < ITERATIONS; k++) {
    const gram = matmul(x, swapLastTwo(x)); // (n, R, R)
    const factor = add(mul(gram, B), mul(matmul(gram, gram), C));
    x = add(mul(x, A), matmul(factor, x));
  }
  return x;
};

/**
 * Directions of parameters, computed for all matrices of equal size together.
 *
 * @param looks (R, C) of each parameter: the mean of its gradient that Nesterov's momentum looks ahead to
 */
const directionsOf = (looks: ReadonlyMap<string, Tensor>): Map<string, Tensor> => {
  const groups = new Map<string, { readonly name: string; readonly isTall: boolean; readonly matrices: Tensor }[]>();
  for (const [name, look] of looks) {
    const count = matricesIn(name);
    const [rows, columns] = [(look.shape[0] as number) / count, look.shape[1] as number];
    const isTall = rows > columns;
    const parts = reshape(look, [count, rows, columns]);
    const matrices = isTall ? swapLastTwo(parts) : parts;
    const size = matrices.shape.slice(1).join();
    groups.set(size, [...(groups.get(size) ?? []), { name, isTall, matrices }]);
  }
  const directions = new Map<string, Tensor>();
  for (const group of groups.values()) {
    const stacks = group.map(({ matrices }) => matrices);
    const joined = orthogonalized(concat(stacks, 0));
    const scaled = mul(joined, UPDATE_RMS * Math.sqrt(joined.shape[2] as number));
    const counts = stacks.map(({ shape }) => shape[0]!);
    split(scaled, 0, counts).forEach((part, index) => {
      const { name, isTall } = group[index]!;
      directions.set(name, reshape(isTall ? swapLastTwo(part) : part, looks.get(name)!.shape));
    });
  }
  return directions;
};

/** Inputs `gradient.NAME`, `mean.NAME` and `clip`; outputs `mean.NAME.next` and `direction.NAME`. */
const muonProgram = (shapes: ReadonlyMap<string, readonly number[]>) => {
  const clip = input('clip', []);
  const mix = (mean: Tensor, gradient: Tensor): Tensor => add(mul(mean, MOMENTUM), mul(gradient, 1 - MOMENTUM));
  const [means, looks] = [new Map<string, Tensor>(), new Map<string, Tensor>()];
  for (const [name, shape] of shapes) {
    const gradient = mul(input(`gradient.${name}`, shape), clip);
    const mean = mix(input(`mean.${name}`, shape), gradient);
    means.set(name, mean);
    looks.set(name, mix(mean, gradient)); // Nesterov's momentum
  }
  return makeProgram('muon', {
    ...Object.fromEntries(Array.from(means, ([name, mean]) => [`mean.${name}.next`, mean])),
    ...Object.fromEntries(Array.from(directionsOf(looks), ([name, direction]) => [`direction.${name}`, direction])),
  });
};

/**
 * Muon (K. Jordan and others, 2024; scaled as in arXiv:2502.16982): a matrix moves by the orthogonal matrix nearest to the running
 * mean of its gradient, so that all directions of a layer learn at one rate, those of rare gradients too.
 */
export class Muon {
  private loaded: { readonly key: string; readonly session: Session } | undefined;

  constructor(private readonly runtime: Runtime) {}

  /**
   * Updates the running means of hidden matrices, and puts directions in the place of their gradients.
   *
   * @param updates of all parameters, by name
   * @param parameters by name
   * @param use applies the updates; the directions are valid until it is done
   */
  async withDirections(
    updates: ReadonlyMap<string, Update>,
    parameters: ReadonlyMap<string, HostTensor>,
    use: (updates: readonly Update[]) => Promise<void>,
  ): Promise<void> {
    const matrices = [...updates].filter(([, { kind }]) => kind === 'muon');
    if (matrices.length === 0) return use([...updates.values()]);
    const shapes = new Map(matrices.map(([name]) => [name, parameters.get(name)!.shape]));
    const session = await this.sessionFor(shapes);
    const feeds: Record<string, HostTensor> = { clip: float32Tensor([], Float32Array.of(matrices[0]![1].clip)) };
    for (const [name, { gradient, first }] of matrices) {
      feeds[`gradient.${name}`] = float32Tensor(shapes.get(name)!, gradient);
      feeds[`mean.${name}`] = float32Tensor(shapes.get(name)!, first);
    }
    const results = await session.compute(feeds);
    const values = new ValueScope();
    values.keep(results);
    try {
      const floats = async (name: string): Promise<Float32Array> => (await results[name]!.read()).data as Float32Array;
      const turned = new Map(updates);
      for (const [name, update] of matrices) {
        update.first.set(await floats(`mean.${name}.next`));
        turned.set(name, { ...update, gradient: await floats(`direction.${name}`) });
      }
      await use([...turned.values()]);
    } finally {
      values.release();
    }
  }

  async dispose(): Promise<void> {
    await this.loaded?.session.dispose();
    this.loaded = undefined;
  }

  private async sessionFor(shapes: ReadonlyMap<string, readonly number[]>): Promise<Session> {
    const key = JSON.stringify([...shapes]);
    if (this.loaded?.key !== key) {
      await this.dispose();
      this.loaded = { key, session: await this.runtime.load(muonProgram(shapes)) };
    }
    return this.loaded.session;
  }
}

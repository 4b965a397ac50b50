import { parameter, type DType, type Tensor } from '../engine/graph/index.ts';
import type { Initializer } from './init.ts';

/** Tensor of the `state_dict`: its name, shape and initialization. */
export interface ParameterSpec {
  /** The official `state_dict` key. */
  readonly name: string;
  /** Sizes of the dimensions. */
  readonly shape: readonly number[];
  /** Element type. */
  readonly dtype: DType;
  /** Buffers (statistics of frozen batch norm, position ids) are saved but never trained. */
  readonly kind: 'parameter' | 'buffer';
  /** Initial values. */
  readonly init: Initializer;
  /** Tensor of the graph. */
  readonly tensor: Tensor;
}

/** Tensors of a model, in the order of the official `state_dict`. */
export class ParameterRegistry {
  private readonly byName = new Map<string, ParameterSpec>();

  /** All parameters in the official order. */
  get specs(): readonly ParameterSpec[] {
    return [...this.byName.values()];
  }

  /** Parameter of a name; undefined for an unknown one. */
  get(name: string): ParameterSpec | undefined {
    return this.byName.get(name);
  }

  /** Adds a parameter and returns its tensor. @throws {Error} if the name is taken */
  add(spec: ParameterSpec): Tensor {
    if (this.byName.has(spec.name)) throw new Error(`internal: parameter "${spec.name}" is declared twice`);
    this.byName.set(spec.name, spec);
    return spec.tensor;
  }

  /** Adds all parameters of another registry. */
  append(other: ParameterRegistry): void {
    for (const spec of other.specs) this.add(spec);
  }
}

/** Path in the module tree, from which parameters get their names: `transformer.encoder.layers.0.linear1.weight`. */
export class Scope {
  constructor(
    readonly registry: ParameterRegistry = new ParameterRegistry(),
    readonly path = '',
  ) {}

  at(name: string | number): Scope {
    return new Scope(this.registry, this.path === '' ? String(name) : `${this.path}.${name}`);
  }

  parameter(name: string, shape: readonly number[], init: Initializer): Tensor {
    return this.declare(name, shape, 'float32', 'parameter', init);
  }

  buffer(name: string, shape: readonly number[], init: Initializer, dtype: DType = 'float32'): Tensor {
    return this.declare(name, shape, dtype, 'buffer', init);
  }

  private declare(
    leaf: string,
    shape: readonly number[],
    dtype: DType,
    kind: ParameterSpec['kind'],
    init: Initializer,
  ): Tensor {
    const name = this.at(leaf).path;
    return this.registry.add({ name, shape, dtype, kind, init, tensor: parameter(name, shape, dtype) });
  }
}

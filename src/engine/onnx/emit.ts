import type { Emitter, NodeAttributes, NodeOptions, Tensor } from '../graph/tensor.ts';
import type { DType, HostTensor } from '../graph/dtype.ts';
import { SymbolicDim, type Atom, type Dim } from '../graph/dim.ts';
import { findDim, leafName, reachableNodes, type Program } from '../graph/program.ts';
import { literal } from '../ops/constant.ts';
import type { EmitOptions } from './emit-options.ts';
import { inOrderOfExecution } from './execution-order.ts';
import { fuseAttention } from './fused-attention.ts';
import { initializersOf, type EncodedInitializer } from './encoded-initializer.ts';
import { writeModel, type OnnxInitializer, type OnnxNode, type OnnxValueInfo } from './model-writer.ts';

/** Maximum number of values of a constant that is deduplicated. */
const MAX_SHARED_VALUES = 16;

/**
 * Writes a program as an ONNX model. Parameters that are not `stored` become inputs. Equal nodes are written once;
 * symbolic sizes are computed from the shapes of the inputs.
 */
export const emitModel = (program: Program, options: EmitOptions = {}): Uint8Array =>
  new ModelEmitter(program, options).emit();

class ModelEmitter implements Emitter {
  private readonly nodes: OnnxNode[] = [];
  private readonly initializers: OnnxInitializer[] = [];
  private readonly written = new Map<string, readonly string[]>();
  private readonly valueNames = new Map<Tensor, string>();
  /** Names that the program uses; generated names avoid them. */
  private readonly taken: ReadonlySet<string>;
  private counter = 0;

  constructor(
    private readonly program: Program,
    private readonly options: EmitOptions,
  ) {
    this.taken = new Set([
      ...program.inputs.map(({ name }) => name),
      ...program.parameters.map(leafName),
      ...Object.keys(program.outputs),
      ...Array.from(options.stored?.values() ?? [])
        .flatMap(initializersOf)
        .map(({ name }) => name),
    ]);
  }

  emit(): Uint8Array {
    const { program, options } = this;
    const stored = options.stored ?? new Map<Tensor, OnnxInitializer | EncodedInitializer>();
    const inputs = [...program.inputs];
    const given = new Set(inputs.map(({ tensor }) => tensor));
    for (const { name, tensor } of inputs) this.valueNames.set(tensor, name);
    for (const [tensor, initializer] of stored) {
      this.initializers.push(...initializersOf(initializer));
      this.valueNames.set(tensor, this.storedName(tensor, initializer));
    }
    for (const node of reachableNodes(
      Object.values(program.outputs),
      (tensor) => stored.has(tensor) || given.has(tensor),
    )) {
      switch (node.kind) {
        case 'parameter':
          inputs.push({ name: node.name, tensor: node.outputs[0]! });
          this.valueNames.set(node.outputs[0]!, node.name);
          break;
        case 'input':
          this.valueNames.set(node.outputs[0]!, node.name);
          break;
        case 'constant':
          this.valueNames.set(node.outputs[0]!, this.storeConstant(node.value));
          break;
        case 'op': {
          const names = node.op.emit(
            this,
            node.inputs.map((tensor) => this.nameOf(tensor)),
            { inputs: node.inputs, outputs: node.outputs, attrs: node.attrs },
          );
          node.outputs.forEach((output, index) => {
            if (!this.valueNames.has(output)) this.valueNames.set(output, names[index] ?? '');
          });
        }
      }
    }
    this.nameOutputs(program.outputs);
    this.dropUnreadOutputs(new Set(Object.keys(program.outputs)));
    const documentation = options.documentation;
    const described = this.describedValues();
    const nodes = inOrderOfExecution(options.isForCpu === true ? this.fuse(described) : this.nodes);
    const made = new Set(nodes.flatMap(({ outputs }) => outputs));
    const info = (name: string, { dtype, shape }: Tensor): OnnxValueInfo => ({
      name,
      dtype,
      shape,
      description: documentation?.values[name],
    });
    return writeModel({
      name: program.name,
      description: documentation?.description,
      producerVersion: documentation?.producerVersion,
      nodes,
      initializers: this.initializers,
      inputs: inputs.map(({ name, tensor }) => info(name, tensor)),
      outputs: Object.entries(program.outputs).map(([name, tensor]) => info(name, tensor)),
      values: Array.from(described, ([name, tensor]) => info(name, tensor)).filter(({ name }) => made.has(name)),
      metadata: options.metadata ?? {},
    });
  }

  node(
    opType: string,
    inputs: readonly string[],
    attrs: NodeAttributes = {},
    options: NodeOptions = {},
  ): readonly string[] {
    const domain = options.domain ?? '';
    const key = JSON.stringify([domain, opType, inputs, attrs, options.outputs ?? 1]);
    const known = this.written.get(key);
    if (known !== undefined) return known;
    const outputs = Array.from({ length: options.outputs ?? 1 }, () => this.fresh('v'));
    this.nodes.push({
      opType,
      domain,
      inputs,
      outputs: [...outputs],
      attrs,
      optionalOutputs: options.optionalOutputs ?? false,
    });
    this.written.set(key, outputs);
    return outputs;
  }

  int64s(values: readonly number[], shape: readonly number[] = [values.length]): string {
    return this.storeLiteral(values, shape, 'int64');
  }

  scalar(value: number, dtype: DType): string {
    return this.storeLiteral([value], [], dtype);
  }

  dim(dim: Dim): string {
    if (typeof dim === 'number') return this.scalar(dim, 'int64');
    const known = this.dimOfInput(dim);
    if (known !== undefined) return known;
    const terms = dim.terms.map(({ coefficient, atoms }) => {
      const monomial = atoms.length > 1 ? this.dimOfInput(new SymbolicDim([{ coefficient: 1, atoms }])) : undefined;
      const factors = monomial === undefined ? atoms.map((atom) => this.atom(atom)) : [monomial];
      if (coefficient !== 1 || factors.length === 0) factors.push(this.scalar(coefficient, 'int64'));
      return factors.reduce((a, b) => this.one('Mul', [a, b]));
    });
    return terms.reduce((a, b) => this.one('Add', [a, b]));
  }

  dims(dims: readonly Dim[]): string {
    if (dims.every((dim) => typeof dim === 'number')) return this.int64s(dims);
    const parts = dims.map((dim) =>
      typeof dim === 'number' ? this.int64s([dim]) : this.one('Unsqueeze', [this.dim(dim), this.int64s([0])]),
    );
    return parts.length === 1 ? parts[0]! : this.one('Concat', parts, { axis: 0 });
  }

  /** Name of a size that is an axis of an input. */
  private dimOfInput(dim: Dim): string | undefined {
    const source = findDim(this.program, dim);
    if (source === undefined) return undefined;
    const shape = this.one('Shape', [this.nameOf(source.input)]);
    return this.one('Gather', [shape, this.scalar(source.axis, 'int64')], { axis: 0 });
  }

  private atom(atom: Atom): string {
    const own = this.dimOfInput(new SymbolicDim([{ coefficient: 1, atoms: [atom] }]));
    if (own !== undefined) return own;
    if (atom.kind === 'floorDiv')
      return this.one('Div', [this.dim(atom.numerator), this.scalar(atom.denominator, 'int64')]);
    const known = this.program.inputs.map(({ name, tensor }) => `${name}: ${tensor.toString()}`).join('; ');
    throw new Error(`internal: program "${this.program.name}" has no input with the size "${atom.name}" (${known})`);
  }

  /** Name of a stored value; an encoded one is decoded by nodes that ONNX Runtime folds when it loads the model. */
  private storedName({ dtype }: Tensor, initializer: OnnxInitializer | EncodedInitializer): string {
    if (!('values' in initializer)) return initializer.name;
    const { values, scales } = initializer;
    const decoded = this.one('Cast', [values.name], { to: { dtype } });
    return scales === undefined ? decoded : this.one('Mul', [decoded, scales.name]);
  }

  private one(opType: string, inputs: readonly string[], attrs: NodeAttributes = {}): string {
    return this.node(opType, inputs, attrs)[0]!;
  }

  private storeLiteral(values: readonly number[], shape: readonly number[], dtype: DType): string {
    return this.storeOnce(dtype, shape, values, () => {
      const { node } = literal(values, shape, dtype);
      if (node.kind !== 'constant') throw new Error('internal: a literal is a constant');
      return node.value;
    });
  }

  private storeConstant(value: HostTensor): string {
    if (value.data.length > MAX_SHARED_VALUES) return this.store(value);
    return this.storeOnce(value.dtype, value.shape, Array.from<number | bigint>(value.data), () => value);
  }

  private storeOnce(
    dtype: DType,
    shape: readonly number[],
    values: readonly (number | bigint)[],
    make: () => HostTensor,
  ): string {
    const texts = values.map((value) => (Object.is(value, -0) ? '-0' : String(value)));
    const key = JSON.stringify(['constant', dtype, shape, texts]);
    const known = this.written.get(key);
    if (known !== undefined) return known[0]!;
    const name = this.store(make());
    this.written.set(key, [name]);
    return name;
  }

  private store(value: HostTensor): string {
    const name = this.fresh('c');
    this.initializers.push({ name, value });
    return name;
  }

  private fresh(prefix: string): string {
    let name = `${prefix}${this.counter++}`;
    while (this.taken.has(name)) name = `${prefix}${this.counter++}`;
    return name;
  }

  private nameOf(tensor: Tensor): string {
    const name = this.valueNames.get(tensor);
    if (name === undefined) throw new Error(`internal: ${tensor.toString()} was not written before its use`);
    return name;
  }

  /**
   * Names the outputs of the program. The output of a node is renamed in place, since an Identity of a value that is
   * also read elsewhere has led ONNX Runtime's optimizer to an error. An input, a stored value, or a value with two names
   * is copied.
   */
  private nameOutputs(outputs: Readonly<Record<string, Tensor>>): void {
    const made = new Set(this.nodes.flatMap((node) => node.outputs));
    const renamed = new Map<string, string>();
    const copies: { readonly from: string; readonly to: string }[] = [];
    for (const [name, tensor] of Object.entries(outputs)) {
      const value = this.nameOf(tensor);
      if (made.has(value) && !renamed.has(value)) renamed.set(value, name);
      else copies.push({ from: value, to: name });
    }
    const rename = (value: string): string => renamed.get(value) ?? value;
    for (const [index, node] of this.nodes.entries()) {
      this.nodes[index] = { ...node, inputs: node.inputs.map(rename), outputs: node.outputs.map(rename) };
    }
    for (const { from, to } of copies) {
      this.nodes.push({
        opType: 'Identity',
        domain: '',
        inputs: [rename(from)],
        outputs: [to],
        attrs: {},
        optionalOutputs: false,
      });
    }
  }

  private fuse(described: ReadonlyMap<string, Tensor>): readonly OnnxNode[] {
    return fuseAttention(this.nodes, {
      shapeOf: (name) => described.get(name)?.shape,
      results: new Set(Object.keys(this.program.outputs)),
      fresh: () => this.fresh('v'),
      int64s: (values) => this.int64s(values),
    });
  }

  /** Values between nodes whose shapes the program knows, by their names. Those that are outputs have other names by now. */
  private describedValues(): ReadonlyMap<string, Tensor> {
    const made = new Set(this.nodes.flatMap((node) => node.outputs));
    const described = new Map<string, Tensor>();
    for (const [tensor, name] of this.valueNames) if (made.has(name)) described.set(name, tensor);
    for (const name of Object.keys(this.program.outputs)) described.delete(name);
    return described;
  }

  /** Drops optional outputs that nothing reads: ONNX Runtime fuses more norms and poolings without them. */
  private dropUnreadOutputs(results: ReadonlySet<string>): void {
    const read = new Set([...results, ...this.nodes.flatMap((node) => node.inputs)]);
    for (const node of this.nodes) {
      if (!node.optionalOutputs) continue;
      while (node.outputs.length > 1 && !read.has(node.outputs.at(-1)!)) node.outputs.pop();
    }
  }
}

import { leafName, type Node, type OpNode, type Program, type Tensor } from '../../engine/graph/index.ts';
import { isConv, isRelu, type ConvAttrs } from '../../engine/ops/index.ts';
import { hasDetector } from '../../model-folder/weight-storage.ts';

/** A convolution that can run in 8 bits. */
export interface QuantizableConv {
  readonly node: OpNode & { readonly attrs: ConvAttrs };
  /** Path of the layer: the name of its filter without `.weight`. */
  readonly name: string;
}

/** Convolutions of a program that can run in 8 bits, and the tensors whose ranges that needs. */
export interface QuantizationPoints {
  readonly convs: readonly QuantizableConv[];
  /** Activations by name: `LAYER.input` of the first layer that reads it, or `LAYER.output`, after ReLU if there is one. */
  readonly points: ReadonlyMap<string, Tensor>;
}

/**
 * Finds the convolutions of the backbone, the first layer aside: it reads the image itself, is cheap, and everything after
 * it depends on its precision. Heads, norms and the transformer stay float, and so does a backbone that detects objects
 * itself: see `hasDetector`. Names are the same for every program of a model.
 */
export const findQuantizationPoints = (program: Program): QuantizationPoints => {
  if (hasDetector(program.parameters.map(leafName))) return { convs: [], points: new Map() };
  const readers = readersOf(program);
  const results = new Set(Object.values(program.outputs));
  /** Nodes that depend on a convolution of the backbone. */
  const afterConv = new Set<Node>();
  const all: QuantizableConv[] = [];
  for (const node of program.nodes) {
    if (node.kind !== 'op') continue;
    const follows = node.inputs.some((tensor) => afterConv.has(tensor.node));
    const name = isConv(node) ? backboneLayer(node.inputs[1]!) : undefined;
    if (follows || name !== undefined) afterConv.add(node);
    if (isConv(node) && name !== undefined && follows) all.push({ node, name });
  }
  // ONNX Runtime cannot load a program in which two integer convolutions share a filter.
  const uses = new Map<string, number>();
  for (const { name } of all) uses.set(name, (uses.get(name) ?? 0) + 1);
  const convs = all.filter(({ name }) => uses.get(name) === 1);
  const names = new Map<Tensor, string>();
  for (const { node, name } of convs) {
    const [output] = node.outputs as [Tensor];
    const [reader, ...others] = readers.get(output) ?? [];
    const isRectified = reader !== undefined && others.length === 0 && isRelu(reader) && !results.has(output);
    names.set(isRectified ? reader.outputs[0]! : output, `${name}.output`);
  }
  for (const { node, name } of convs) if (!names.has(node.inputs[0]!)) names.set(node.inputs[0]!, `${name}.input`);
  return { convs, points: new Map(Array.from(names, ([tensor, name]) => [name, tensor])) };
};

const BACKBONE = /^(?:detr\.)?backbone\..+\.weight$/;

/** Path of the layer of a filter that depends on parameters of the backbone; undefined for others. */
const backboneLayer = (filter: Tensor): string | undefined => {
  const pending = [filter];
  for (let tensor = pending.pop(); tensor !== undefined; tensor = pending.pop()) {
    const { node } = tensor;
    if (node.kind === 'parameter' && tensor.rank === 4)
      return BACKBONE.test(node.name) ? leafName(tensor).slice(0, -'.weight'.length) : undefined;
    if (node.kind === 'op') pending.push(...node.inputs);
  }
  return undefined;
};

const readersOf = (program: Program): ReadonlyMap<Tensor, readonly OpNode[]> => {
  const readers = new Map<Tensor, OpNode[]>();
  for (const node of program.nodes) {
    if (node.kind !== 'op') continue;
    for (const tensor of new Set(node.inputs)) {
      const known = readers.get(tensor);
      if (known === undefined) readers.set(tensor, [node]);
      else known.push(node);
    }
  }
  return readers;
};

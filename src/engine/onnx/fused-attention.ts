import type { Shape } from '../graph/dim.ts';
import type { NodeAttributes } from '../graph/tensor.ts';
import type { OnnxNode } from './model-writer.ts';

/** Properties of the graph that the fusion needs beside its nodes. */
export interface FusionContext {
  /** Shape of a value, where it is known. */
  shapeOf(name: string): Shape | undefined;
  /** Names of the program's outputs, which must stay. */
  readonly results: ReadonlySet<string>;
  /** A name that the graph does not have. */
  fresh(): string;
  /** Name of a constant vector. */
  int64s(values: readonly number[]): string;
}

/** Order of the axes of (B, L, heads, D) as (B, heads, L, D). */
const HEADS_FIRST = [0, 2, 1, 3] as const;
/** Order of the axes of keys (B, S, heads, D) as (B, heads, D, S). */
const KEYS_LAST = [0, 2, 3, 1] as const;

/** Values of attention before heads are moved in front. */
interface AttentionParts {
  /** Queries, keys and values: (B, L or S, heads, D), and (B, L or S, heads · D) if there is such a value. */
  readonly sources: readonly { readonly split: string; readonly joined: string | undefined }[];
  /** One more feature of the queries (B, heads, L, 1) and of the keys (B, heads, 1, S), whose product is the bias of the keys. */
  readonly bias: { readonly ones: string; readonly biases: string } | undefined;
  readonly heads: number;
  readonly depth: number;
}

/**
 * Replaces attention whose probabilities nothing else reads by ONNX Runtime's operator `MultiHeadAttention`, whose CPU kernel
 * never holds all scores: it takes them block by block (arXiv:2205.14135), which needs no memory that grows with L · S, and at the
 * size of the published model a third less time (docs/performance.md). The bias of the keys stays one more feature of queries and
 * keys, since the kernel takes this way only without a mask. The operator is not part of ONNX: exported models do without.
 */
export const fuseAttention = (nodes: readonly OnnxNode[], context: FusionContext): readonly OnnxNode[] => {
  const graph = new Graph(nodes, context);
  const replaced = new Map<OnnxNode, readonly OnnxNode[]>();
  const shared = new Map<string, string>();
  for (const softmax of nodes) {
    if (softmax.opType !== 'Softmax') continue;
    const found = findAttention(graph, softmax);
    if (found === undefined) continue;
    const { parts, merged } = found;
    replaced.set(merged, writeAttention(parts, merged, context, shared));
  }
  if (replaced.size === 0) return nodes;
  return withoutUnread(
    nodes.flatMap((node) => replaced.get(node) ?? [node]),
    context.results,
  );
};

/** Which node makes a value, and which read it. */
class Graph {
  private readonly makers = new Map<string, OnnxNode>();
  private readonly readers = new Map<string, OnnxNode[]>();

  constructor(
    nodes: readonly OnnxNode[],
    readonly context: FusionContext,
  ) {
    for (const node of nodes) {
      for (const name of node.outputs) this.makers.set(name, node);
      for (const name of node.inputs) {
        const readers = this.readers.get(name);
        if (readers === undefined) this.readers.set(name, [node]);
        else readers.push(node);
      }
    }
  }

  /** The node that makes a value, if it is of this type and has these attributes. */
  maker(name: string | undefined, opType: string, attrs: NodeAttributes = {}): OnnxNode | undefined {
    return isLike(this.makers.get(name ?? ''), opType, attrs);
  }

  /** The only reader of a node's only output that is read, if it is of this type and has these attributes. */
  onlyReader(node: OnnxNode | undefined, opType: string, attrs: NodeAttributes = {}): OnnxNode | undefined {
    if (node === undefined) return undefined;
    const [name] = node.outputs;
    const readers = this.readers.get(name!) ?? [];
    return this.context.results.has(name!) || readers.length !== 1 ? undefined : isLike(readers[0], opType, attrs);
  }
}

const isLike = (node: OnnxNode | undefined, opType: string, attrs: NodeAttributes): OnnxNode | undefined =>
  node !== undefined &&
  node.opType === opType &&
  node.domain === '' &&
  Object.entries(attrs).every(([name, value]) => JSON.stringify(node.attrs[name]) === JSON.stringify(value))
    ? node
    : undefined;

/** Attention around a softmax, and the node that merges the heads of its result. */
const findAttention = (
  graph: Graph,
  softmax: OnnxNode,
): { readonly parts: AttentionParts; readonly merged: OnnxNode } | undefined => {
  const scores = graph.maker(softmax.inputs[0], 'MatMul');
  const product = graph.onlyReader(softmax, 'MatMul');
  if (scores === undefined || graph.onlyReader(scores, 'Softmax', { axis: 3 }) !== softmax) return undefined;
  if (product?.inputs[0] !== softmax.outputs[0]) return undefined;
  const merged = graph.onlyReader(graph.onlyReader(product, 'Transpose', { perm: HEADS_FIRST }), 'Reshape');
  const values = graph.maker(product?.inputs[1], 'Transpose', { perm: HEADS_FIRST });
  const [left, right] = [
    graph.maker(scores.inputs[0], 'Concat', { axis: 3 }),
    graph.maker(scores.inputs[1], 'Concat', { axis: 2 }),
  ];
  const hasBias = left?.inputs.length === 2 && right?.inputs.length === 2;
  const queries = graph.maker(hasBias ? left.inputs[0] : scores.inputs[0], 'Transpose', { perm: HEADS_FIRST });
  const keys = graph.maker(hasBias ? right.inputs[0] : scores.inputs[1], 'Transpose', { perm: KEYS_LAST });
  if (merged === undefined || values === undefined || queries === undefined || keys === undefined) return undefined;
  const sources = [queries, keys, values].map(({ inputs }) => inputs[0]!);
  const shapes = sources.map((name) => graph.context.shapeOf(name));
  const [, , heads, depth] = shapes[0] ?? [];
  if (typeof heads !== 'number' || typeof depth !== 'number') return undefined;
  // One reshape to (B, L, features) serves all three.
  if (shapes.some((shape) => shape?.length !== 4 || shape[2] !== heads || shape[3] !== depth)) return undefined;
  const parts: AttentionParts = {
    sources: sources.map((name) => ({ split: name, joined: joinedSource(graph, name, heads * depth) })),
    bias: hasBias ? { ones: left.inputs[1]!, biases: right.inputs[1]! } : undefined,
    heads,
    depth,
  };
  return { parts, merged };
};

/** Value that a split into heads was made of, if that is all that was done to it. */
const joinedSource = (graph: Graph, name: string, features: number): string | undefined => {
  const [source] = graph.maker(name, 'Reshape')?.inputs ?? [];
  const shape = source === undefined ? undefined : graph.context.shapeOf(source);
  return shape?.length === 3 && shape[2] === features ? source : undefined;
};

/** @param shared names of values that several layers have in common, by how they are made */
const writeAttention = (
  { sources, bias, heads, depth }: AttentionParts,
  merged: OnnxNode,
  { fresh, int64s, shapeOf }: FusionContext,
  shared: Map<string, string>,
): readonly OnnxNode[] => {
  const nodes: OnnxNode[] = [];
  const write = (opType: string, inputs: readonly string[], attrs: NodeAttributes = {}, name = fresh()): string => {
    nodes.push({ opType, domain: '', inputs, outputs: [name], attrs, optionalOutputs: false });
    return name;
  };
  const turned = (name: string, perm: readonly number[]): string => {
    const key = `${name} ${perm.join(' ')}`;
    const known = shared.get(key) ?? write('Transpose', [name], { perm });
    shared.set(key, known);
    return known;
  };
  const features = [bias && turned(bias.ones, HEADS_FIRST), bias && turned(bias.biases, [0, 3, 1, 2]), undefined];
  const inputs = sources.map(({ split, joined }, index) => {
    const feature = features[index];
    if (feature === undefined && joined !== undefined) return joined;
    const whole = feature === undefined ? split : write('Concat', [split, feature], { axis: 3 });
    const width = heads * (feature === undefined ? depth : depth + 1);
    return write('Reshape', [whole, int64s([0, 0, width])]); // 0 keeps a size
  });
  const [result] = merged.outputs;
  // Where a product follows, heads were merged and rows joined by one node.
  const isWhole = shapeOf(result!)?.length === 3;
  const attended = isWhole ? result! : fresh();
  nodes.push({
    opType: 'MultiHeadAttention',
    domain: 'com.microsoft',
    inputs,
    outputs: [attended],
    // Queries are scaled already.
    attrs: { num_heads: heads, scale: { float: 1 } },
    optionalOutputs: false,
  });
  return isWhole ? nodes : [...nodes, { ...merged, inputs: [attended, merged.inputs[1]!] }];
};

/** Nodes that results are computed from. */
const withoutUnread = (nodes: readonly OnnxNode[], results: ReadonlySet<string>): readonly OnnxNode[] => {
  const read = new Set(results);
  const kept: OnnxNode[] = [];
  for (const node of nodes.toReversed()) {
    if (!node.outputs.some((name) => read.has(name))) continue;
    for (const name of node.inputs) read.add(name);
    kept.push(node);
  }
  return kept.reverse();
};

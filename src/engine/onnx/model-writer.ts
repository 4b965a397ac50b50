import type { NodeAttribute, NodeAttributes } from '../graph/tensor.ts';
import type { DType, HostTensor } from '../graph/dtype.ts';
import { dimKey, type Shape } from '../graph/dim.ts';
import { ONNX_DATA_TYPES, ProtoWriter } from './proto.ts';

/** ONNX operator set of the models, the first with GELU. */
export const OPSET_VERSION = 20;
/** ONNX file format version of that operator set. */
const IR_VERSION = 9;

/** Location of an initializer's bytes in a file beside the model. */
export interface ExternalData {
  /** File name, relative to the model. */
  readonly location: string;
  /** Offset in the file in bytes. */
  readonly offset: number;
  /** Length in bytes. */
  readonly length: number;
}

/** A node of an ONNX graph. */
export interface OnnxNode {
  readonly opType: string;
  readonly domain: string;
  readonly inputs: readonly string[];
  outputs: string[];
  readonly attrs: NodeAttributes;
  readonly optionalOutputs: boolean;
}

/** Stored value of an ONNX graph: inside the model or in external data. */
export type OnnxInitializer =
  | { readonly name: string; readonly value: HostTensor }
  | {
      readonly name: string;
      readonly dtype: DType;
      readonly shape: readonly number[];
      readonly external: ExternalData;
    };

/** Name, element type and shape of an input or output. */
export interface OnnxValueInfo {
  readonly name: string;
  readonly dtype: DType;
  readonly shape: Shape;
  /** Description for the readers of the file. */
  readonly description?: string | undefined;
}

/** Content of an ONNX graph. */
export interface OnnxGraph {
  readonly name: string;
  /** Description for the readers of the file. */
  readonly description?: string | undefined;
  /** Version of the program that writes the model. */
  readonly producerVersion?: string | undefined;
  readonly nodes: readonly OnnxNode[];
  readonly initializers: readonly OnnxInitializer[];
  readonly inputs: readonly OnnxValueInfo[];
  readonly outputs: readonly OnnxValueInfo[];
  /** Values between nodes. ONNX Runtime gives values of equal shape the same memory one after the other. */
  readonly values: readonly OnnxValueInfo[];
  readonly metadata: Readonly<Record<string, string>>;
}

const writeAttribute = (writer: ProtoWriter, name: string, value: NodeAttribute): void => {
  writer.string(1, name);
  if (typeof value === 'number') writer.int(3, value).int(20, 2);
  else if (typeof value === 'string') writer.string(4, value).int(20, 3);
  else if ('float' in value) writer.float(2, value.float).int(20, 1);
  else if ('dtype' in value) writer.int(3, ONNX_DATA_TYPES[value.dtype]).int(20, 2);
  else {
    for (const element of value) writer.int(8, element);
    writer.int(20, 7);
  }
};

const writeNode = (writer: ProtoWriter, node: OnnxNode): void => {
  for (const name of node.inputs) writer.string(1, name);
  for (const name of node.outputs) writer.string(2, name);
  writer.string(3, node.outputs.find((name) => name !== '') ?? '').string(4, node.opType);
  for (const [name, value] of Object.entries(node.attrs))
    writer.message(5, (attribute) => writeAttribute(attribute, name, value));
  if (node.domain !== '') writer.string(7, node.domain);
};

const writeInitializer = (writer: ProtoWriter, initializer: OnnxInitializer): void => {
  const { dtype, shape } = 'value' in initializer ? initializer.value : initializer;
  for (const size of shape) writer.int(1, size);
  writer.int(2, ONNX_DATA_TYPES[dtype]).string(8, initializer.name);
  if ('value' in initializer) {
    const { data } = initializer.value;
    writer.bytes(9, new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
    return;
  }
  for (const [key, value] of Object.entries(initializer.external)) {
    writer.message(13, (entry) => entry.string(1, key).string(2, String(value)));
  }
  writer.int(14, 1);
};

const writeValueInfo = (writer: ProtoWriter, info: OnnxValueInfo): void => {
  writer.string(1, info.name).message(2, (type) =>
    type.message(1, (tensor) =>
      tensor.int(1, ONNX_DATA_TYPES[info.dtype]).message(2, (shape) => {
        for (const dim of info.shape) {
          shape.message(1, (entry) => (typeof dim === 'number' ? entry.int(1, dim) : entry.string(2, dimKey(dim))));
        }
      }),
    ),
  );
  if (info.description !== undefined) writer.string(3, info.description);
};

/** Serializes an ONNX ModelProto. */
export const writeModel = (graph: OnnxGraph): Uint8Array => {
  const domains = new Set(graph.nodes.map((node) => node.domain));
  const writer = new ProtoWriter().int(1, IR_VERSION).string(2, 'mdetr');
  if (graph.producerVersion !== undefined) writer.string(3, graph.producerVersion);
  if (graph.description !== undefined) writer.string(6, graph.description);
  writer.message(7, (body) => {
    for (const node of graph.nodes) body.message(1, (entry) => writeNode(entry, node));
    body.string(2, graph.name);
    for (const initializer of graph.initializers) body.message(5, (entry) => writeInitializer(entry, initializer));
    for (const info of graph.inputs) body.message(11, (entry) => writeValueInfo(entry, info));
    for (const info of graph.outputs) body.message(12, (entry) => writeValueInfo(entry, info));
    for (const info of graph.values) body.message(13, (entry) => writeValueInfo(entry, info));
  });
  writer.message(8, (opset) => opset.string(1, '').int(2, OPSET_VERSION));
  if (domains.has('com.microsoft')) writer.message(8, (opset) => opset.string(1, 'com.microsoft').int(2, 1));
  for (const [key, value] of Object.entries(graph.metadata))
    writer.message(14, (entry) => entry.string(1, key).string(2, value));
  return writer.finish();
};

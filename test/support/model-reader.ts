/**
 * Parses the parts of an ONNX ModelProto that tests need; field numbers as in onnx.proto3. Shares no code with the
 * writer, so that a mistake in one does not hide in the other.
 */

interface Field {
  readonly number: number;
  readonly value: bigint | Uint8Array;
}

const fieldsOf = (bytes: Uint8Array): Field[] => {
  const fields: Field[] = [];
  let at = 0;
  const varint = (): bigint => {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = bytes[at++];
      if (byte === undefined) throw new Error('the message ends within a varint');
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
  };
  while (at < bytes.length) {
    const tag = Number(varint());
    const [number, wireType] = [tag >> 3, tag & 7];
    if (wireType === 0) fields.push({ number, value: varint() });
    else if (wireType === 2 || wireType === 5) {
      const length = wireType === 5 ? 4 : Number(varint());
      if (at + length > bytes.length) throw new Error('the message ends within a field');
      fields.push({ number, value: bytes.subarray(at, at + length) });
      at += length;
    } else throw new Error(`wire type ${wireType}`);
  }
  return fields;
};

const messages = (fields: readonly Field[], number: number): Uint8Array[] =>
  fields.filter((field) => field.number === number).map(({ value }) => value as Uint8Array);
const texts = (fields: readonly Field[], number: number): string[] =>
  messages(fields, number).map((bytes) => new TextDecoder().decode(bytes));
const numbers = (fields: readonly Field[], number: number): number[] =>
  fields.filter((field) => field.number === number).map(({ value }) => Number(BigInt.asIntN(64, value as bigint)));

export interface NodeProto {
  readonly opType: string;
  readonly domain: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: Readonly<Record<string, number | string | readonly number[]>>;
}
export interface TensorProto {
  readonly name: string;
  readonly dataType: number;
  readonly dims: readonly number[];
  readonly raw: Uint8Array | undefined;
  readonly external: Readonly<Record<string, string>>;
}
export interface ValueProto {
  readonly name: string;
  readonly elementType: number;
  /** Sizes as numbers, or the names of symbolic ones. */
  readonly shape: readonly (number | string)[];
  readonly description: string | undefined;
}
export interface ModelProto {
  readonly irVersion: number;
  readonly opsets: Readonly<Record<string, number>>;
  readonly metadata: Readonly<Record<string, string>>;
  readonly name: string;
  readonly nodes: readonly NodeProto[];
  readonly initializers: readonly TensorProto[];
  readonly inputs: readonly ValueProto[];
  readonly outputs: readonly ValueProto[];
}

const attribute = (fields: readonly Field[]): number | string | readonly number[] => {
  switch (numbers(fields, 20)[0]) {
    case 1: {
      const bytes = messages(fields, 2)[0]!;
      return new DataView(bytes.buffer, bytes.byteOffset).getFloat32(0, true);
    }
    case 2:
      return numbers(fields, 3)[0]!;
    case 3:
      return texts(fields, 4)[0]!;
    case 7:
      return numbers(fields, 8);
    default:
      throw new Error('an attribute of unknown type');
  }
};

const entries = (fields: readonly Field[], number: number): Record<string, string> =>
  Object.fromEntries(
    messages(fields, number).map((bytes) => {
      const entry = fieldsOf(bytes);
      return [texts(entry, 1)[0]!, texts(entry, 2)[0]!];
    }),
  );

const valueInfo = (bytes: Uint8Array): ValueProto => {
  const fields = fieldsOf(bytes);
  const tensor = fieldsOf(messages(fieldsOf(messages(fields, 2)[0]!), 1)[0]!);
  const shape = messages(fieldsOf(messages(tensor, 2)[0]!), 1).map((dim) => {
    const dimFields = fieldsOf(dim);
    return numbers(dimFields, 1)[0] ?? texts(dimFields, 2)[0]!;
  });
  return { name: texts(fields, 1)[0]!, elementType: numbers(tensor, 1)[0]!, shape, description: texts(fields, 3)[0] };
};

export const readModel = (bytes: Uint8Array): ModelProto => {
  const model = fieldsOf(bytes);
  const graph = fieldsOf(messages(model, 7)[0]!);
  return {
    irVersion: numbers(model, 1)[0]!,
    opsets: Object.fromEntries(
      messages(model, 8).map((opset) => {
        const fields = fieldsOf(opset);
        return [texts(fields, 1)[0]!, numbers(fields, 2)[0]!];
      }),
    ),
    metadata: entries(model, 14),
    name: texts(graph, 2)[0]!,
    nodes: messages(graph, 1).map((node) => {
      const fields = fieldsOf(node);
      return {
        opType: texts(fields, 4)[0]!,
        domain: texts(fields, 7)[0] ?? '',
        inputs: texts(fields, 1),
        outputs: texts(fields, 2),
        attributes: Object.fromEntries(
          messages(fields, 5).map((entry) => {
            const attributeFields = fieldsOf(entry);
            return [texts(attributeFields, 1)[0]!, attribute(attributeFields)];
          }),
        ),
      };
    }),
    initializers: messages(graph, 5).map((initializer) => {
      const fields = fieldsOf(initializer);
      return {
        name: texts(fields, 8)[0]!,
        dataType: numbers(fields, 2)[0]!,
        dims: numbers(fields, 1),
        raw: messages(fields, 9)[0],
        external: entries(fields, 13),
      };
    }),
    inputs: messages(graph, 11).map(valueInfo),
    outputs: messages(graph, 12).map(valueInfo),
  };
};

import type { Tensor } from '../graph/tensor.ts';
import type { EncodedInitializer } from './encoded-initializer.ts';
import type { OnnxInitializer } from './model-writer.ts';

/** Options of `emitModel`. */
export interface EmitOptions {
  /** Values that are stored with the model instead of being inputs or computed: parameters, and what depends on them only. */
  readonly stored?: ReadonlyMap<Tensor, OnnxInitializer | EncodedInitializer>;
  /** Entries of the model's metadata. */
  readonly metadata?: Readonly<Record<string, string>>;
  /** Documentation strings for readers of the file. */
  readonly documentation?: ModelDocumentation;
  /** Uses operators that ONNX Runtime has for the CPU and ONNX has not. Default: false. */
  readonly isForCpu?: boolean;
}

/** Documentation strings of an ONNX file. */
export interface ModelDocumentation {
  /** Version of the program that writes the model. */
  readonly producerVersion: string;
  /** Description of the model. */
  readonly description: string;
  /** Descriptions of inputs and outputs by name. */
  readonly values: Readonly<Record<string, string>>;
}

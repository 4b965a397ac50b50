import type { OnnxInitializer } from './model-writer.ts';

/** A stored value in a compact form: cast to the type of the tensor and multiplied by the scales, it is the value. */
export interface EncodedInitializer {
  /** Values as stored. */
  readonly values: OnnxInitializer;
  /** Scale of each channel, if the values are quantized. */
  readonly scales?: OnnxInitializer | undefined;
}

/** The initializers that a stored value takes in the file. */
export const initializersOf = (stored: OnnxInitializer | EncodedInitializer): readonly OnnxInitializer[] =>
  'values' in stored ? [stored.values, ...(stored.scales === undefined ? [] : [stored.scales])] : [stored];

import {
  functionRule,
  integerFrom,
  numberFrom,
  oneOf,
  optionsRule,
  stringRule,
  type OptionRules,
} from '../../options/check-options.ts';
import type { DecodeImageOptions, DecodeOptions } from './image-source.ts';
import { ORIENTATIONS, type PixelSize } from './orientation.ts';

/** Limits of decoding, for options that are not given. */
export const DECODE_DEFAULTS = {
  maxPixels: 50e6,
  maxAspectRatio: 1000,
  maxBytes: 256 * 2 ** 20,
  maxPages: 10_000,
  timeoutS: 30,
} as const;

/** Rules of `DecodeOptions`. */
export const decodeOptionRules: OptionRules<DecodeOptions> = {
  name: stringRule,
  orientation: oneOf(...ORIENTATIONS),
  maxPixels: numberFrom(1),
  maxAspectRatio: numberFrom(1),
  maxBytes: numberFrom(1),
  maxPages: numberFrom(1),
  urls: oneOf('refuse', 'public', 'any'),
  timeoutS: integerFrom(1),
};

/** Rules of `DecodeImageOptions`. */
export const decodeImageOptionRules: OptionRules<DecodeImageOptions> = {
  ...decodeOptionRules,
  rowSize: optionsRule<PixelSize>('rowSize', { width: integerFrom(0), height: integerFrom(0) }),
  onNote: functionRule,
};

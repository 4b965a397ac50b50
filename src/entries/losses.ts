/** `mdetr/losses`: the criterion, its losses and their weights, over symbolic tensors. */
export * from '../losses/index.ts';
export type * from './graph-types.ts';
export type { Match } from '../matching/matcher.ts';
export type { MatchingWeights } from '../matching/cost.ts';
export type { ModelConfig, SmallBackboneConfig, TextEncoderConfig } from '../models/index.ts';
export type { CodePointSpan, Encoding, PositiveRow } from '../text/index.ts';
export { MdetrError } from '../errors.ts';

import type { Tensor } from '../engine/graph/index.ts';

/**
 * Losses and measures by official name: (L), one number for each decoder layer, first to last; or, of losses that only
 * exist once, a number without axes.
 */
export type LossTerms = Readonly<Record<string, Tensor>>;

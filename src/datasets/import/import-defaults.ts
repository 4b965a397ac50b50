import type { TextKind } from './made-texts.ts';

/** Defaults of `importDataset`, and of the commands that import. */
export const IMPORT_DEFAULTS: {
  readonly texts: readonly TextKind[];
  readonly negatives: number;
  readonly valFraction: number;
  readonly seed: number;
} = { texts: ['classes', 'prompts'], negatives: 3, valFraction: 0.2, seed: 0 };

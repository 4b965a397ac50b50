/** Precisions in which weights are stored. Inputs, outputs and arithmetic are float32 in all of them. */
export type Precision = 'float32' | 'float16' | 'int8';

/** All precisions, most exact first. */
export const PRECISIONS = ['float32', 'float16', 'int8'] as const satisfies readonly Precision[];

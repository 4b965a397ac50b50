/** Median of measurements; the upper one of the two middle values of an even number of them. */
export const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1]!;

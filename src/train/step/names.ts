/** Name of a parameter's gradient, or of an output's cotangent, in programs that have both. */
export const cotangentName = (name: string): string => `d_${name}`;

/** Name of the value that a cotangent belongs to. */
export const valueName = (cotangent: string): string => cotangent.slice('d_'.length);

/** The name of a value's gradient (of a parameter) or cotangent (of an output) in programs that hold both. */
export const cotangentName = (name: string): string => `d_${name}`;

/** The value whose gradient has this name. */
export const valueName = (cotangent: string): string => cotangent.slice('d_'.length);

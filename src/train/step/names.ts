/** Name of a parameter's gradient, or of an output's cotangent, in programs that have both. */
export const cotangentName = <Name extends string>(name: Name): `d_${Name}` => `d_${name}`;

/** Name of the indices of a table's rows that a program computes the gradients of. */
export const rowIndicesName = (table: string): string => `rows_${table}`;

/** Name of the value that a cotangent belongs to. */
export const valueName = (cotangent: string): string => cotangent.slice('d_'.length);

/** Whether a name is one of `cotangentName`. */
export const isCotangentName = (name: string): boolean => name.startsWith('d_');

/** Arrays of numbers that can be joined. */
type Joinable = { readonly length: number; set(values: never, at: number): void };

/**
 * Joins arrays of one type.
 *
 * @param type the class of the arrays, such as `Float32Array`
 */
export const concatValues = <A extends Joinable>(type: new (length: number) => A, parts: readonly A[]): A => {
  const all = new type(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part as never, at);
    at += part.length;
  }
  return all;
};

const SCALAR_BYTES = new Uint8Array(256);
for (const c of '0123456789+-.eEabcdefghijklmnopqrstuvwxyzNI') SCALAR_BYTES[c.charCodeAt(0)] = 1;

/** True for a byte that can be part of a number, `true`, `false`, `null`, or Python's `NaN` and `Infinity`. */
export const isScalarByte = (byte: number): boolean => SCALAR_BYTES[byte] === 1;

/**
 * True for the text of a number, `true`, `false` or `null`, and for `NaN` and `Infinity`, which Python writes although JSON
 * has none. Such values are reported when their row is read.
 */
export const isPythonScalar = (text: string): boolean =>
  /^(?:true|false|null|NaN|-?Infinity|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)$/.test(text);

/** Index of the key that equals the bytes [begin, end); -1 for none. */
export const keySlot = (keys: readonly Uint8Array[], bytes: Uint8Array, begin: number, end: number): number => {
  for (let k = 0; k < keys.length; k++) {
    const key = keys[k]!;
    if (key.length !== end - begin || key[0] !== bytes[begin]) continue;
    let j = 1;
    while (j < key.length && key[j] === bytes[begin + j]) j++;
    if (j === key.length) return k;
  }
  return -1;
};

/** Modules without declarations of their own: the decoder without its library, and libheif as one file. */
declare module 'heic-decode/lib.js' {
  interface Decoders {
    readonly one: (input: {
      buffer: Uint8Array;
    }) => Promise<{ width: number; height: number; data: Uint8ClampedArray }>;
  }
  const decodersOf: (libheif: object) => Decoders;
  export default decodersOf;
}

declare module 'libheif-js/libheif-wasm/libheif-bundle.mjs' {
  const load: () => object;
  export default load;
}

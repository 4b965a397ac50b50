/** Facts about a request that its `Request` lacks. */
export interface RequestContext {
  /** Address of the client, for `maxPerClient`. */
  readonly client?: string | undefined;
  /**
   * Chunks of the body, read instead of `request.body`. With Node's `http`, pass
   * `incoming.iterator({ destroyOnReturn: false })`: a `ReadableStream` for each request makes the memory of the process grow.
   */
  readonly body?: AsyncIterable<Uint8Array> | undefined;
}

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

/** Head of a request as Node's `http` module reads it: an `IncomingMessage` is one. */
export interface RequestHead {
  /** HTTP method. */
  readonly method?: string | undefined;
  /** Path and query. */
  readonly url?: string | undefined;
  /** Headers by name in lower case. */
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
}

/** An answer as values: for Node's `http` it needs no `Response`, whose stream costs more than all of its headers. */
export interface PlainAnswer<Content = string | Uint8Array | null> {
  /** HTTP status. */
  readonly status: number;
  /** Headers by name in lower case; `content-length` is among them if there is a body. */
  readonly headers: Readonly<Record<string, string>>;
  /** The body. An answer to `HEAD` has that of `GET`, which is not sent. */
  readonly body: Content;
}

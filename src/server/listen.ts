import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { Server as NetServer, type AddressInfo } from 'node:net';
import { getRequestListener } from '@hono/node-server';
import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response';
import { MdetrError, messageOf } from '../errors.ts';
import { responseOf, type ServerHandler } from './handler.ts';
import type { BodyChunks } from './http/body.ts';
import { answerConnectionError } from './http/connection-errors.ts';
import type { PlainAnswer } from './http/request-context.ts';
import { Problem } from './problems.ts';

/** Time for the headers of a request, in milliseconds. */
const HEADERS_MS = 10_000;

/** Time for which idle connections stay open while the server closes, so that responses in transit arrive. */
const GRACE_MS = 250;

/**
 * Mounts a handler in Node's `http` module: the listener takes its `IncomingMessage` and `ServerResponse`. They are declared
 * as objects, so that the declarations need no types of Node.
 *
 * @example
 * const handler = createHandler();
 * createServer(nodeListener(handler)).listen(8080, '127.0.0.1');
 */
export const nodeListener = (handler: ServerHandler): ((request: object, response: object) => void) => {
  const listener = getRequestListener(
    async (request, { incoming, outgoing }) => {
      const [message, response] = [incoming as IncomingMessage, outgoing as ServerResponse];
      const answer =
        message.headers.host === undefined && message.httpVersionMinor > 0
          ? invalidRequest()
          : await handler.answer(request, { client: message.socket.remoteAddress, body: bodyOf(message, response) });
      write(response, answer);
      return RESPONSE_ALREADY_SENT;
    },
    {
      overrideGlobalObjects: false,
      // Health checks of load balancers speak HTTP/1.0, which needs no header `Host`.
      hostname: 'localhost',
      errorHandler: () => responseOf(invalidRequest()),
    },
  );
  return (request, response) => {
    const [incoming, outgoing] = [request as IncomingMessage, response as ServerResponse];
    const refusal = handler.refusal(incoming);
    if (refusal === undefined) void listener(incoming, outgoing);
    else write(outgoing, refusal);
  };
};

/** Responses whose clients wait for "100 Continue" before they send the body. */
const waitingForContinue = new WeakSet<ServerResponse>();

/** Chunks of a body. A client that asks before it sends is told to go on once they are read, so that refusals come first. */
const bodyOf = (incoming: IncomingMessage, outgoing: ServerResponse): BodyChunks => ({
  [Symbol.asyncIterator]() {
    if (waitingForContinue.delete(outgoing)) outgoing.writeContinue();
    return incoming.iterator({ destroyOnReturn: false });
  },
});

const write = (outgoing: ServerResponse, { status, headers, body }: PlainAnswer): void => {
  // Its client does not send the body any more, which Node would wait for.
  if (waitingForContinue.has(outgoing)) outgoing.setHeader('connection', 'close');
  outgoing.writeHead(status, headers).end(body ?? undefined);
};

const invalidRequest = (): PlainAnswer<string> =>
  new Problem('malformed-request', 'the address or a header of the request is invalid').answer(randomUUID());

/** A server that listens. */
export interface Listening {
  /** Its address: `http://127.0.0.1:8080`. */
  readonly url: string;
  /** Stops listening, finishes the accepted requests, and ends the workers. */
  close(): Promise<void>;
}

/** Listens on a host and port; port 0 takes a free one. @throws {MdetrError} if the port is taken or not allowed */
export const listen = async (
  handler: ServerHandler,
  { host, port, bodyTimeoutS }: { readonly host: string; readonly port: number; readonly bodyTimeoutS: number },
): Promise<Listening> => {
  const listener = nodeListener(handler);
  const server = createServer(
    {
      headersTimeout: HEADERS_MS,
      // The handler's own limit answers first, with a problem.
      requestTimeout: HEADERS_MS + bodyTimeoutS * 1000 + 5000,
      connectionsCheckingInterval: 1000,
      keepAliveTimeout: 10_000,
      // The listener refuses requests without it, with a problem.
      requireHostHeader: false,
    },
    listener,
  );
  server.on('checkContinue', (request, response) => {
    waitingForContinue.add(response);
    listener(request, response);
  });
  // Other expectations may be ignored (RFC 9110, 10.1.1).
  server.on('checkExpectation', listener);
  server.on('clientError', answerConnectionError);
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) => reject(new MdetrError(listenError(host, port, error), { cause: error })));
    server.listen(port, host, resolve);
  });
  const { address, port: actual, family } = server.address() as AddressInfo;
  const name = family === 'IPv6' ? `[${address}]` : address;
  return { url: `http://${name}:${actual}`, close: () => close(server, handler) };
};

const close = async (server: Server, handler: ServerHandler): Promise<void> => {
  // It still listens while the accepted requests finish: new ones get 503 instead of a refused connection.
  await handler.close();
  // Node's own `close` of an HTTP server also cuts idle connections, on which a client may just be sending.
  const isClosed = new Promise<void>((resolve) => NetServer.prototype.close.call(server, () => resolve()));
  await new Promise((resolve) => setTimeout(resolve, GRACE_MS));
  server.closeAllConnections();
  await isClosed;
};

const listenError = (host: string, port: number, error: NodeJS.ErrnoException): string => {
  if (error.code === 'EADDRINUSE') return `port ${port} of ${host} is in use: choose another one with --port`;
  if (error.code === 'EACCES') return `port ${port} is not allowed for this user: choose one above 1023 with --port`;
  if (error.code === 'EADDRNOTAVAIL' || error.code === 'ENOTFOUND')
    return `${host} is not an address of this machine: see --host`;
  return `cannot listen on ${host}:${port}: ${messageOf(error)}`;
};

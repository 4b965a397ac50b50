import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { Server as NetServer, type AddressInfo } from 'node:net';
import { getRequestListener } from '@hono/node-server';
import { MdetrError, messageOf } from '../errors.ts';
import type { ServerHandler } from './handler.ts';
import { answerConnectionError } from './http/connection-errors.ts';
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
    (request, { incoming }) =>
      incoming.headers.host === undefined && incoming.httpVersionMinor > 0
        ? invalidRequest()
        : handler(request, {
            client: incoming.socket.remoteAddress,
            body: incoming.iterator({ destroyOnReturn: false }),
          }),
    {
      overrideGlobalObjects: false,
      // Health checks of load balancers speak HTTP/1.0, which needs no header `Host`.
      hostname: 'localhost',
      errorHandler: invalidRequest,
    },
  );
  return (request, response) => {
    const [incoming, outgoing] = [request as IncomingMessage, response as ServerResponse];
    const refusal = handler.refusal(incoming);
    if (refusal === undefined) void listener(incoming, outgoing);
    else outgoing.writeHead(refusal.status, refusal.headers).end(refusal.body);
  };
};

const invalidRequest = (): Response =>
  new Problem('malformed-request', 'the address or a header of the request is invalid').response(randomUUID());

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
    nodeListener(handler),
  );
  server.on('clientError', (error, socket) => void answerConnectionError(error, socket));
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

import { randomUUID } from 'node:crypto';
import { STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import { Problem, type ProblemName } from '../problems.ts';

/** Problems of connections by the code of Node's error; other errors are requests that are not HTTP. */
const BY_CODE: Readonly<Record<string, readonly [problem: ProblemName, detail: string]>> = {
  HPE_HEADER_OVERFLOW: ['headers-too-large', 'the headers of a request may have 16 KiB'],
  ERR_HTTP_REQUEST_TIMEOUT: ['request-timeout', 'the request did not arrive in time'],
};

/** Answers what cannot be parsed as a request with a problem, and closes its connection. */
export const answerConnectionError = (error: NodeJS.ErrnoException, socket: Duplex): void => {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy(error);
    return;
  }
  const [name, detail] = BY_CODE[error.code ?? ''] ?? ['malformed-request', 'the request is not valid HTTP/1.1'];
  const { status, body } = new Problem(name, detail).answer(randomUUID());
  const head = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status]!}`,
    'Connection: close',
    'Content-Type: application/problem+json',
    `Content-Length: ${Buffer.byteLength(body)}`,
  ];
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`, () => socket.destroy());
};

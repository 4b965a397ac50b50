// Node's http: everything of `mdetr serve` on a server of your own.
import { createServer } from 'node:http';
import { createHandler, nodeListener } from 'mdetr/server';

const handler = createHandler({ workers: 1 });
export const server = createServer(nodeListener(handler)).listen(Number(process.env.PORT ?? 3000), '127.0.0.1');
process.once('SIGTERM', () => server.close(() => handler.close()));

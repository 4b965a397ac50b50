// Hono: the server under a path, beside other routes.
import { serve } from '@hono/node-server';
import { Hono } from 'hono';
import { createHandler } from 'mdetr/server';

const handler = createHandler({ basePath: '/vision' });
const app = new Hono();
app.get('/', (context) => context.text('POST an image and a caption to /vision/v1/detect'));
app.all('/vision/*', (context) => handler(context.req.raw));
export const server = serve({ fetch: app.fetch, port: Number(process.env.PORT ?? 3000), hostname: '127.0.0.1' });
process.once('SIGTERM', () => server.close(() => handler.close()));

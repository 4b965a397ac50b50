// Next.js: the server under /api/mdetr. The handler survives hot reloads, so that its worker starts once.
import { createHandler, type ServerHandler } from 'mdetr/server';

export const runtime = 'nodejs';

const shared = globalThis as { mdetr?: ServerHandler };
const handler = (shared.mdetr ??= createHandler({ basePath: '/api/mdetr' }));

export const GET = (request: Request): Promise<Response> => handler(request);
export const POST = GET;

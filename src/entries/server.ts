/** `mdetr/server`: the server of `mdetr serve` as a fetch handler, for Next.js, Hono, Node's http and others. */
export { createHandler, type ServerHandler } from '../server/handler.ts';
export type { PlainAnswer, RequestContext, RequestHead } from '../server/http/request-context.ts';
export { listen, nodeListener, type Listening } from '../server/listen.ts';
export type { LabelStudio } from '../server/label-studio/label-studio.ts';
export type { LogEntry, RequestEntry } from '../server/log.ts';
export type { ServerModel, ServerOptions } from '../server/options.ts';
export { MdetrError, UsageError } from '../errors.ts';
export type { Precision } from '../model-folder/export-manifest.ts';

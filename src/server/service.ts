import { createHash } from 'node:crypto';
import { MdetrError } from '../errors.ts';
import { fetchBytes, FetchError } from '../fetching/fetch-bytes.ts';
import { unlessAborted } from '../threads/unless-aborted.ts';
import { BodyBudget, discardBody, readBody } from './http/body.ts';
import { ClientLimit, Deadline } from './http/guards.ts';
import { parseInferenceBody, type InferenceBody, type RemoteImage } from './http/inference-body.ts';
import type { RequestContext } from './http/request-context.ts';
import { bodySchemas, type BodySchemas } from './http/request-schemas.ts';
import { logMs, type LogEntry, type RequestEntry } from './log.ts';
import { ServerMetrics } from './metrics.ts';
import { QUEUE_FACTOR, type ServerSettings } from './options.ts';
import { Problem } from './problems.ts';
import { overloadProblem, Scheduler, type Overload } from './scheduling/scheduler.ts';
import type { Outcome } from './scheduling/task.ts';
import type { ModelDescription, TaskName } from './worker/messages.ts';

/** Facts about a request for its log entry, filled in while it is answered. */
export type RequestFacts = {
  -readonly [
    Key in Exclude<keyof RequestEntry, 'event' | 'requestId' | 'method' | 'route' | 'status' | 'ms'>
  ]?: RequestEntry[Key];
};

/** Everything that the routes of a server share: models, workers, limits and metrics. */
export class Service {
  readonly metrics: ServerMetrics;
  private readonly scheduler: Scheduler;
  private readonly budget: BodyBudget;
  private readonly clients: ClientLimit;
  private readonly schemas: Readonly<Record<TaskName, BodySchemas>>;
  private started: Promise<readonly ModelDescription[]> | undefined;
  private closed: Promise<void> | undefined;
  private isReady = false;
  /** Number of tasks that are being answered, from the first byte of their body. */
  private active = 0;
  private onIdle: (() => void) | undefined;

  constructor(readonly settings: ServerSettings) {
    this.budget = new BodyBudget(settings.maxTotalBytes);
    this.clients = new ClientLimit(settings.maxPerClient);
    const schemasOf = (task: TaskName): BodySchemas => bodySchemas(task, settings.maxTexts);
    this.schemas = { detect: schemasOf('detect'), refer: schemasOf('refer'), ask: schemasOf('ask') };
    this.scheduler = new Scheduler(
      { ...settings, queueFactor: QUEUE_FACTOR },
      {
        onLog: (entry) => this.log(entry),
        onBatch: (batch) => this.metrics.batch(batch),
        onWait: (ms, isExpired) => this.metrics.wait(ms, isExpired),
        onWorkerExit: () => this.metrics.workerExit(),
      },
    );
    this.metrics = new ServerMetrics({
      queueLength: () => this.scheduler.length,
      workersReady: () => this.scheduler.workersReady,
      expectedWaitMs: () => this.scheduler.expectedWaitMs(),
      queueLimitMs: () => this.scheduler.queueLimitMs(),
    });
  }

  /** Opens the models, once. @throws {MdetrError} if one cannot be opened */
  start(): Promise<readonly ModelDescription[]> {
    this.started ??= this.scheduler.start().then(
      (models) => {
        this.isReady = true;
        return models;
      },
      async (error: unknown) => {
        await this.scheduler.close();
        throw error;
      },
    );
    return this.started;
  }

  /** Refuses new requests, finishes the accepted ones, and ends the workers. */
  close(): Promise<void> {
    this.closed ??= (async () => {
      this.log({ event: 'draining', requests: this.active });
      // The caller of a failed start has its error.
      if (this.started !== undefined) await this.started.catch(() => undefined);
      if (this.active > 0) await new Promise<void>((resolve) => (this.onIdle = resolve));
      await this.scheduler.close();
      this.log({ event: 'stopped' });
    })();
    return this.closed;
  }

  get isClosing(): boolean {
    return this.closed !== undefined;
  }

  /** Number of workers ready for requests. @throws {Problem} if there is none, or the server is closing */
  readiness(): number {
    if (this.isClosing) throw closingProblem();
    const { workersReady } = this.scheduler;
    if (!this.isReady || workersReady === 0)
      throw new Problem('not-ready', 'the models are being loaded', { headers: { 'retry-after': '1' } });
    return workersReady;
  }

  /** Models by name. */
  async models(): Promise<readonly ModelDescription[]> {
    try {
      return await this.start();
    } catch (error) {
      // The message may name files of the server, so it is only logged.
      throw error instanceof MdetrError
        ? new Problem('not-ready', 'the models cannot be loaded; see the log of the server', { cause: error })
        : error;
    }
  }

  /** Answers a task: reads the body, waits for a worker, and returns the JSON of the answer. */
  run(task: TaskName, request: Request, context: RequestContext, facts: RequestFacts): Promise<string> {
    const started = performance.now();
    return this.withBody(request, context, async (bytes, signal) => {
      facts.bodyMs = logMs(performance.now() - started);
      const contentType = request.headers.get('content-type') ?? '';
      const parsed = parseInferenceBody(task, bytes, contentType, this.schemas[task]);
      const { results } = await this.infer(task, parsed, signal, facts);
      return parsed.isList ? `{"results":[${results.join(',')}]}` : results[0]!;
    });
  }

  /**
   * Reads the body of a request and answers it, within all limits.
   *
   * @throws {Problem} if the server is overloaded or closing, or the body is incomplete, too large or too slow
   */
  async withBody<T>(
    request: Request,
    context: RequestContext,
    answer: (bytes: Uint8Array<ArrayBuffer>, signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    if (context.body === undefined && request.bodyUsed)
      throw new Error('the body of the request was read before the handler got it: pass on an unread request');
    const chunks = context.body ?? request.body ?? undefined;
    if (this.isClosing) {
      await discardBody(chunks, this.settings);
      throw closingProblem();
    }
    const overload = this.overload();
    if (overload !== undefined) throw overloadProblem(overload);
    const leave = this.clients.enter(context.client);
    const deadline = new Deadline(request.signal, this.settings.timeoutS);
    this.active++;
    try {
      const { signal } = deadline;
      return await unlessAborted(signal, async () => {
        const body = await readBody(request, chunks, this.settings, this.budget);
        try {
          return await answer(body.bytes, signal);
        } finally {
          body.release();
        }
      });
    } finally {
      deadline.clear();
      leave();
      if (--this.active === 0) this.onIdle?.();
    }
  }

  /** Runs a parsed request. */
  async infer(task: TaskName, body: InferenceBody, signal: AbortSignal, facts: RequestFacts): Promise<Outcome> {
    const names = (await this.models()).map(({ name }) => name);
    const model = body.model ?? names[0]!;
    if (!names.includes(model))
      throw new Problem('unknown-model', `there is no such model; the models are ${names.join(', ')}`);
    const bytes = 'bytes' in body.image ? body.image.bytes : await this.fetch(body.image, signal);
    Object.assign(facts, { model, texts: body.texts.length, imageBytes: bytes.length });
    const outcome = await this.scheduler.submit(
      {
        task,
        model,
        texts: body.texts,
        options: body.options,
        image: bytes,
        imageDigest: createHash('sha256').update(bytes).digest('base64'),
        imageName: body.name,
      },
      signal,
    );
    const { batch, isCached, timing } = outcome;
    const { prepareMs, waitMs, batchMs } = timing;
    Object.assign(facts, {
      prepareMs: logMs(prepareMs),
      waitMs: logMs(waitMs),
      batchMs: logMs(batchMs),
      batch,
      isCached,
    });
    return outcome;
  }

  /** Fetches an image from a public address, or from a host that the options name. @throws {Problem} if that is not allowed or fails */
  private async fetch({ url, isOwn = false, authorization }: RemoteImage, signal: AbortSignal): Promise<Uint8Array> {
    const { allowUrls, maxBodyBytes, timeoutS } = this.settings;
    if (!allowUrls && !isOwn)
      throw new Problem('image-url-refused', 'the server does not fetch images from URLs (see --allow-urls)');
    try {
      const limits = { maxBytes: maxBodyBytes, totalMs: timeoutS * 1000, signal };
      return await fetchBytes(url, { ...limits, reach: isOwn ? 'as-first' : 'public', authorization });
    } catch (error) {
      if (!(error instanceof FetchError)) throw error;
      const isRefused = error.problem === 'url' || error.problem === 'address';
      throw new Problem(isRefused ? 'image-url-refused' : 'image-url-failed', error.message, { cause: error });
    }
  }

  /** Why a task would be refused now, before its body is read; undefined if it would be accepted, or fail in another way. */
  overload(): Overload | undefined {
    return this.isClosing ? undefined : this.scheduler.overload();
  }

  /** Counts and logs a request that was answered. */
  answered(entry: RequestEntry): void {
    this.metrics.request(entry);
    this.log(entry);
  }

  log(entry: LogEntry): void {
    this.settings.onLog?.(entry);
  }
}

const closingProblem = (): Problem =>
  new Problem('draining', 'the server is shutting down', { headers: { 'retry-after': '1' } });

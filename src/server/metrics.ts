import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { RequestEntry } from './log.ts';
import type { BatchReport } from './worker/messages.ts';

/** Upper limits of the buckets of request times, in seconds. */
const SECONDS = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];

/** Values that are read at every scrape. */
export interface ServerState {
  readonly queueLength: () => number;
  readonly workersReady: () => number;
  readonly expectedWaitMs: () => number;
  readonly queueLimitMs: () => number;
}

/** Prometheus metrics of a server. */
export class ServerMetrics {
  private readonly registry = new Registry();
  private readonly registers = [this.registry];
  private readonly requests = new Counter({
    name: 'mdetr_requests_total',
    help: 'Requests by route, status and type of problem.',
    labelNames: ['route', 'status', 'problem'] as const,
    registers: this.registers,
  });
  private readonly seconds = new Histogram({
    name: 'mdetr_request_seconds',
    help: 'Time from the first byte of a request to its answer.',
    labelNames: ['route'] as const,
    buckets: SECONDS,
    registers: this.registers,
  });
  private readonly batches = new Histogram({
    name: 'mdetr_batch_requests',
    help: 'Requests that ran together.',
    buckets: [1, 2, 3, 4, 6, 8, 12, 16, 32],
    registers: this.registers,
  });
  private readonly batchSeconds = this.histogram('mdetr_batch_seconds', 'Duration of a batch.');
  private readonly waitSeconds = this.histogram(
    'mdetr_queue_wait_seconds',
    'Time that an accepted request waited for others.',
  );
  private readonly expired = this.counter(
    'mdetr_expired_requests_total',
    'Accepted requests that were refused (503) because they had waited longer than the limit.',
  );
  private readonly images = this.counter('mdetr_images_encoded_total', 'Images that went through the backbone.');
  private readonly texts = this.counter(
    'mdetr_texts_total',
    'Captions, expressions and questions that went through the transformer.',
  );
  private readonly cached = this.counter(
    'mdetr_cached_requests_total',
    'Requests whose image had been encoded before.',
  );
  private readonly exits = this.counter('mdetr_worker_exits_total', 'Workers that died and were replaced.');

  constructor(state: ServerState) {
    collectDefaultMetrics({ register: this.registry });
    this.gauge('mdetr_queue_length', 'Requests that wait or run.', state.queueLength);
    this.gauge('mdetr_expected_wait_seconds', 'Expected wait of a new request.', () => state.expectedWaitMs() / 1000);
    this.gauge(
      'mdetr_queue_limit_seconds',
      'Expected wait above which requests are refused.',
      () => state.queueLimitMs() / 1000,
    );
    this.gauge('mdetr_workers_ready', 'Workers that take requests.', state.workersReady);
  }

  request({ route, status, problem = '', ms, isCached }: RequestEntry): void {
    this.requests.inc({ route, status: String(status), problem });
    this.seconds.observe({ route }, ms / 1000);
    if (isCached === true) this.cached.inc();
  }

  batch({ requests, images, texts, ms }: BatchReport): void {
    this.batchSeconds.observe(ms / 1000);
    this.batches.observe(requests);
    this.images.inc(images);
    this.texts.inc(texts);
  }

  wait(ms: number, isExpired: boolean): void {
    this.waitSeconds.observe(ms / 1000);
    if (isExpired) this.expired.inc();
  }

  workerExit(): void {
    this.exits.inc();
  }

  /** All metrics in Prometheus' text format, and its content type. */
  async text(): Promise<{ readonly body: string; readonly contentType: string }> {
    return { body: await this.registry.metrics(), contentType: this.registry.contentType };
  }

  private histogram(name: string, help: string): Histogram {
    return new Histogram({ name, help, buckets: SECONDS, registers: this.registers });
  }

  private counter(name: string, help: string): Counter {
    return new Counter({ name, help, registers: this.registers });
  }

  private gauge(name: string, help: string, value: () => number): void {
    new Gauge({
      name,
      help,
      registers: this.registers,
      collect() {
        this.set(value());
      },
    });
  }
}

import { MdetrError, messageOf } from '../../errors.ts';
import type { InferenceCore } from '../../inference/core.ts';
import { joinImages, separateImages, type EncodedImages } from '../../inference/encoded-images.ts';
import type { PreparedImage } from '../../inference/preprocess.ts';
import type { ImageCaption } from '../../inference/text-outputs.ts';
import { answerLine, detectionLine, referLine } from '../../results/result-lines.ts';
import type { ResultBase } from '../../results/types.ts';
import type { ProblemName } from '../problems.ts';
import { sharedClockMs } from './clock.ts';
import { ImageCache, type CachedImage } from './image-cache.ts';
import type { Done, PartTimes, TaskName, WaitLimit, WorkerRequest, WorkReport } from './messages.ts';
import { checkTask, RequestRefused } from './request-checks.ts';

/** A request whose image is encoded, or decoded and resized. */
interface ReadyRequest {
  readonly id: number;
  readonly request: WorkerRequest;
  readonly limit: WaitLimit;
  readonly core: InferenceCore;
  /** Its features, which the cache may drop before it runs. */
  readonly cached: CachedImage | undefined;
  /** Its pixels, for an image that is not encoded yet. */
  readonly prepared: PreparedImage | undefined;
  /** Requests with one key run together. */
  readonly key: string;
  /** Pixels at which the model sees the image. */
  readonly pixels: number;
  readonly prepareMs: number;
}

/** Prepared pixels of all images of a batch, about 5 images of 1066 × 800: bounds the memory of the image program. */
const MAX_BATCH_PIXELS = 4.5e6;

/** Limits of a batch runner. */
export interface BatchLimits {
  readonly batchSize: number;
  readonly maxPixels: number;
  readonly imageCacheBytes: number;
}

/**
 * Runs requests in batches: whatever arrived while the last batch ran and sees the model at one size, with one task and one
 * set of options, runs together. Images of different sizes are never padded to each other, so the results of a request do
 * not depend on the rest of its batch.
 */
export class BatchRunner {
  private readonly cache: ImageCache;
  /** Requests that were neither answered nor canceled, with their abort controllers. */
  private readonly open = new Map<number, AbortController>();
  private readonly ready: ReadyRequest[] = [];
  /** Requests that wait for the bytes of their image. */
  private readonly missing = new Map<number, (image: Uint8Array) => void>();
  private isRunning = false;

  constructor(
    private readonly models: ReadonlyMap<string, InferenceCore>,
    private readonly limits: BatchLimits,
    private readonly send: (message: WorkReport) => void,
  ) {
    this.cache = new ImageCache(limits.imageCacheBytes);
  }

  /** Adds a request; its results go to `send`. */
  async accept(id: number, request: WorkerRequest, limit: WaitLimit): Promise<void> {
    const stop = new AbortController();
    this.open.set(id, stop);
    try {
      const core = this.models.get(request.model)!;
      checkTask(core, request);
      const ready = await this.prepare({ id, request, limit, core });
      if (!this.open.has(id)) return;
      this.ready.push(ready);
    } catch (error) {
      this.fail(id, error, 'invalid-image');
      return;
    }
    // While a batch runs, requests wait for it; one that finds none running never expires.
    if (!this.isRunning) await this.runAll();
  }

  /** Takes the bytes of an image that was reported as missing. */
  provide(id: number, image: Uint8Array): void {
    this.missing.get(id)?.(image);
    this.missing.delete(id);
  }

  /** Cancels a request. A batch stops when all of its requests are canceled. */
  cancel(id: number): void {
    const stop = this.open.get(id);
    this.open.delete(id);
    this.missing.delete(id);
    stop?.abort(new Error('canceled'));
  }

  private async prepare(accepted: Pick<ReadyRequest, 'id' | 'request' | 'limit' | 'core'>): Promise<ReadyRequest> {
    const { core } = accepted;
    const { task, model, options, imageDigest } = accepted.request;
    const keyOf = (size: string): string => JSON.stringify([model, size, task, options]);
    const cached = this.cache.get(model, imageDigest);
    if (cached !== undefined)
      return { ...accepted, cached, prepared: undefined, key: keyOf(cached.size), pixels: 0, prepareMs: 0 };
    const image = accepted.request.image ?? (await this.missingImage(accepted.id));
    const started = performance.now();
    const prepared = await core.prepare({ image, name: 'image' }, { maxPixels: this.limits.maxPixels });
    const { width, height } = prepared.resized;
    const prepareMs = performance.now() - started;
    return { ...accepted, cached, prepared, key: keyOf(`${height}x${width}`), pixels: width * height, prepareMs };
  }

  private missingImage(id: number): Promise<Uint8Array> {
    return new Promise((resolve) => {
      this.missing.set(id, resolve);
      this.send({ kind: 'missing-image', id });
    });
  }

  private async runAll(): Promise<void> {
    this.isRunning = true;
    try {
      for (let batch = this.nextBatch(); batch.length > 0; batch = this.nextBatch()) {
        await this.run(batch);
        this.dropExpired();
      }
    } finally {
      this.isRunning = false;
    }
  }

  /** Refuses requests that waited longer than their limit, so that what is answered was answered in time. */
  private dropExpired(): void {
    const late = this.ready.filter((item) => waitMs(item) > item.limit.maxWaitMs);
    if (late.length === 0) return;
    const kept = this.ready.filter((item) => !late.includes(item));
    this.ready.splice(0, this.ready.length, ...kept);
    for (const item of late)
      if (this.open.delete(item.id)) this.send({ kind: 'expired', id: item.id, waitMs: waitMs(item) });
  }

  /** The oldest request and those that can run with it. */
  private nextBatch(): ReadyRequest[] {
    const batch: ReadyRequest[] = [];
    let [pixels, texts] = [0, 0];
    for (let index = 0; index < this.ready.length && batch.length < this.limits.batchSize;) {
      const item = this.ready[index]!;
      const isFirst = batch.length === 0;
      const isCanceled = !this.open.has(item.id);
      const fits =
        isFirst ||
        (item.key === batch[0]!.key &&
          pixels + item.pixels <= MAX_BATCH_PIXELS &&
          texts + item.request.texts.length <= this.limits.batchSize);
      if (!isCanceled && !fits) {
        index++;
        continue;
      }
      this.ready.splice(index, 1);
      if (isCanceled) continue;
      batch.push(item);
      pixels += item.pixels;
      texts += item.request.texts.length;
    }
    return batch;
  }

  /** Runs a batch. If it fails, its requests run one by one, so that only the cause of the failure fails. */
  private async run(batch: readonly ReadyRequest[]): Promise<void> {
    const signal = this.abortedWithAll(batch);
    try {
      await this.compute(batch, signal);
    } catch (error) {
      if (signal.aborted) return;
      if (batch.length === 1) this.fail(batch[0]!.id, error, 'invalid-text');
      else for (const item of batch) if (this.open.has(item.id)) await this.run([item]);
    }
  }

  /** A signal that is aborted once all requests of a batch are canceled. */
  private abortedWithAll(batch: readonly ReadyRequest[]): AbortSignal {
    const all = new AbortController();
    for (const { id } of batch)
      this.open.get(id)?.signal.addEventListener('abort', () => {
        if (batch.every((item) => !this.open.has(item.id))) all.abort(new Error('canceled'));
      });
    return all.signal;
  }

  private async compute(batch: readonly ReadyRequest[], signal: AbortSignal): Promise<void> {
    const [{ core, request }] = batch as [ReadyRequest, ...ReadyRequest[]];
    const batchStarted = performance.now();
    const waits = batch.map(waitMs);
    const { images, misses, imageMs } = await this.encode(batch, signal);
    const digests = [...images.keys()];
    const joined = joinImages([...images.values()]);
    const captions = batch.flatMap((item) =>
      item.request.texts.map((text, captionIndex): ImageCaption => ({
        image: digests.indexOf(item.request.imageDigest),
        text,
        captionIndex,
      })),
    );
    const started = performance.now();
    const found: ResultBase[] = [];
    for (let start = 0; start < captions.length; start += this.limits.batchSize) {
      const some = captions.slice(start, start + this.limits.batchSize);
      found.push(...(await core[request.task](joined, some, { ...request.options, signal })));
    }
    const textMs = performance.now() - started;
    const done: Done[] = [];
    let next = 0;
    for (const [index, item] of batch.entries()) {
      const isMiss = misses.includes(item.request.imageDigest);
      const own = found.slice(next, (next += item.request.texts.length)).map((result) => {
        const { postprocess, model } = result.timing;
        const timing = { preprocess: item.prepareMs, model: model + (isMiss ? imageMs : 0), postprocess };
        return JSON.stringify(
          TASK_LINES[item.request.task]({
            ...result,
            image: item.request.imageName,
            model: item.request.model,
            timing,
          }),
        );
      });
      if (this.open.delete(item.id))
        done.push({
          id: item.id,
          results: own,
          batch: batch.length,
          isCached: !isMiss,
          timing: { prepareMs: item.prepareMs, waitMs: waits[index]!, batchMs: performance.now() - batchStarted },
        });
    }
    const prepareMs = batch.reduce((sum, item) => sum + item.prepareMs, 0);
    const times: PartTimes = {
      prepareMs: prepareMs / Math.max(1, misses.length),
      imageMs: imageMs / Math.max(1, misses.length),
      textMs: textMs / captions.length,
    };
    const counts = { requests: batch.length, images: misses.length, texts: captions.length };
    const ms = performance.now() - batchStarted;
    this.send({ kind: 'batch', model: request.model, done, ...counts, ms, times });
  }

  /** Encoded images of a batch by digest, from the cache or by one run of the image program. */
  private async encode(batch: readonly ReadyRequest[], signal: AbortSignal) {
    const [{ core }] = batch as [ReadyRequest, ...ReadyRequest[]];
    const images = new Map<string, EncodedImages>();
    const missing = new Map<string, PreparedImage>();
    for (const { request, cached, prepared } of batch) {
      // Its image may have been encoded for another request meanwhile.
      const features = cached ?? this.cache.get(request.model, request.imageDigest);
      if (features !== undefined) images.set(request.imageDigest, features.encoded);
      else missing.set(request.imageDigest, prepared!);
    }
    const started = performance.now();
    if (missing.size > 0) {
      const encoded = await core.encodePrepared([...missing.values()], 0, { signal });
      const parts = separateImages(encoded);
      for (const [index, [digest, { resized }]] of [...missing].entries()) {
        images.set(digest, parts[index]!);
        const size = `${resized.height}x${resized.width}`;
        this.cache.set(batch[0]!.request.model, digest, { encoded: parts[index]!, size });
      }
    }
    return { images, misses: [...missing.keys()], imageMs: missing.size > 0 ? performance.now() - started : 0 };
  }

  private fail(id: number, error: unknown, problem: ProblemName): void {
    if (!this.open.delete(id)) return;
    if (error instanceof RequestRefused)
      this.send({ kind: 'failed', id, problem: error.problem, detail: error.message });
    else if (error instanceof MdetrError) this.send({ kind: 'failed', id, problem, detail: error.message });
    else {
      const stack = error instanceof Error ? error.stack : undefined;
      this.send({ kind: 'failed', id, problem: 'internal', detail: messageOf(error), stack });
    }
  }
}

/** Time that a request has waited for others: decoding its image is not waiting. */
const waitMs = ({ limit, prepareMs }: ReadyRequest): number =>
  Math.max(0, sharedClockMs() - limit.acceptedMs - prepareMs);

const TASK_LINES = { detect: detectionLine, refer: referLine, ask: answerLine } as Readonly<
  Record<TaskName, (result: ResultBase) => Record<string, unknown>>
>;

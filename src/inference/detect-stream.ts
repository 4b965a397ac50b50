import type { DetectionResult } from '../results/types.ts';
import { captionsOf } from './batches.ts';
import type { ModelCore, PreparedHandle } from './model-core.ts';
import { DEFAULT_BATCH_SIZE, type BatchOptions, type ImageText } from './options.ts';

interface PreparedItem extends ImageText<unknown> {
  readonly prepared: PreparedHandle;
}

/**
 * Detects as items arrive, with results in their order. While the network runs on a batch, the items of the next one are pulled
 * and decoded, so at most two batches are ahead of the consumer.
 */
export async function* detectStream(
  core: ModelCore,
  items: AsyncIterable<ImageText<unknown>> | Iterable<ImageText<unknown>>,
  options: BatchOptions,
): AsyncGenerator<DetectionResult, void, undefined> {
  const batchSize = options.batchSize ?? DEFAULT_BATCH_SIZE;
  const ahead = new PreparedItems(core, items, options);
  try {
    for (;;) {
      const started = performance.now();
      const batch = await ahead.take(batchSize);
      if (batch.length === 0) return;
      ahead.pull(batchSize);
      const images = [...new Set(batch.map(({ prepared }) => prepared))];
      const encoded = await core.encodePrepared(images, performance.now() - started, options);
      const captions = batch.map(({ prepared, text }) => ({ image: images.indexOf(prepared), text, captionIndex: 0 }));
      const results = await core.detect(encoded, captions, options).finally(() => core.release(encoded));
      yield* results;
    }
  } finally {
    await ahead.close();
  }
}

/** Pulls items from a source one after another and decodes them before they are needed. */
class PreparedItems {
  private readonly source: AsyncIterator<ImageText<unknown>> | Iterator<ImageText<unknown>>;
  private waiting: Promise<PreparedItem | undefined>[] = [];
  private last: Promise<unknown> = Promise.resolve();
  private images = new Map<unknown, PreparedHandle>();
  private isFinished = false;
  private isPulling = false;

  constructor(
    private readonly core: ModelCore,
    items: AsyncIterable<ImageText<unknown>> | Iterable<ImageText<unknown>>,
    private readonly options: BatchOptions,
  ) {
    this.source = Symbol.asyncIterator in items ? items[Symbol.asyncIterator]() : items[Symbol.iterator]();
  }

  /** Pulls and decodes further items, one after another, until a number of them is waiting. */
  pull(count: number): void {
    while (this.waiting.length < count) {
      const item = this.last.then(() => this.next());
      // A failure is reported by the batch that the item belongs to.
      item.catch(() => undefined);
      this.last = item;
      this.waiting.push(item);
    }
  }

  /** The next `count` items; fewer at the end. */
  async take(count: number): Promise<PreparedItem[]> {
    this.pull(count);
    const items = await Promise.all(this.waiting);
    this.waiting = [];
    this.images = new Map();
    return items.filter((item) => item !== undefined);
  }

  async close(): Promise<void> {
    if (this.isFinished) return;
    this.isFinished = true;
    const closed = Promise.resolve(this.source.return?.());
    // A source that is producing an item returns only after it.
    if (this.isPulling) closed.catch(() => undefined);
    else await closed;
  }

  private async next(): Promise<PreparedItem | undefined> {
    if (this.isFinished) return undefined;
    this.options.signal?.throwIfAborted();
    this.isPulling = true;
    const pulled: IteratorResult<ImageText<unknown>, unknown> = await Promise.resolve(this.source.next()).finally(
      () => (this.isPulling = false),
    );
    if (pulled.done === true) {
      this.isFinished = true;
      return undefined;
    }
    const { value } = pulled;
    captionsOf('detectStream', value.text);
    const known = this.images.get(value.image);
    const prepared = known ?? (await this.core.prepare(value, this.options.decode));
    this.images.set(value.image, prepared);
    return { ...value, prepared };
  }
}

import { nameOfSource, type DecodeOptions } from '../../data/images/image-source.ts';
import type { PixelSize } from '../../data/images/orientation.ts';
import { MdetrError, messageOf } from '../../errors.ts';
import type { PackedCocoRle } from '../../geometry/run-lengths.ts';
import type { AnswerResult, DetectionResult, ReferResult } from '../../results/types.ts';
import type { EncodedHandle, EncodeOptions, ModelCore, NamedImage, PreparedHandle } from '../model-core.ts';
import type { InferenceOptions } from '../options.ts';
import { modelSizeOf } from '../preprocess.ts';
import type { ImageCaption, TextOutputs } from '../text-outputs.ts';
import type { Port, RemoteFacts, RemoteMethod, Reply, SentImages, SentOutputs } from './messages.ts';
import { RemoteOutputs } from './remote-outputs.ts';
import { receivedError } from './sent-error.ts';

/** Turns an image of the caller into one that can be sent to another thread. */
export type SendImage = (image: unknown) => Promise<unknown>;

interface Pending {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
}

/** A model in another thread, which `serveCore` serves there. Prepared images, features and outputs stay in that thread. */
export class RemoteCore implements ModelCore {
  readonly source: ModelCore['source'];
  readonly device: string;
  readonly hasMasks: boolean;
  private readonly pending = new Map<number, Pending>();
  private readonly handles = new WeakMap<object, number>();
  private readonly collected = new FinalizationRegistry<number>((handle) => this.free(handle));
  private nextId = 1;
  /** Why no call can be made any more. */
  private ended: Error | undefined;

  /**
   * @param end stops the other thread, after its model was freed
   */
  constructor(
    private readonly port: Port,
    private readonly facts: RemoteFacts,
    private readonly sendImage: SendImage,
    private readonly end: () => void,
  ) {
    this.source = facts;
    this.device = facts.device;
    this.hasMasks = facts.hasMasks;
    port.listen((message) => this.settle(message as Reply));
  }

  checkSize(size: PixelSize, name: string): void {
    modelSizeOf(size, this.facts.preprocessing, name);
  }

  async prepare(image: NamedImage, decode?: DecodeOptions): Promise<PreparedHandle> {
    const handle = await this.call('prepare', [await this.sent(image), decode]);
    return this.keep({}, handle as number);
  }

  async encode(images: readonly NamedImage[], options: EncodeOptions): Promise<EncodedHandle> {
    this.requireUsable();
    const sent: unknown[] = [];
    for (const image of images) sent.push(await this.sent(image));
    return this.encoded(await this.call('encode', [sent, withoutSignal(options)], options.signal));
  }

  async encodePrepared(
    images: readonly PreparedHandle[],
    preprocessMs: number,
    options: EncodeOptions,
  ): Promise<EncodedHandle> {
    const handles = images.map((image) => this.handleOf(image));
    const sent = await this.call('encodePrepared', [handles, preprocessMs, withoutSignal(options)], options.signal);
    for (const image of images) this.drop(image);
    return this.encoded(sent);
  }

  release(images: EncodedHandle): void {
    this.drop(images);
  }

  async predict(
    images: EncodedHandle,
    captions: readonly ImageCaption[],
    options: InferenceOptions,
  ): Promise<TextOutputs> {
    const sent = await this.onTexts<{ handle: number; texts: readonly SentOutputs[] }>(
      'predict',
      images,
      captions,
      options,
    );
    return this.keep(new RemoteOutputs(sent.texts), sent.handle);
  }

  detect(
    images: EncodedHandle,
    captions: readonly ImageCaption[],
    options: InferenceOptions,
  ): Promise<DetectionResult[]> {
    return this.onTexts('detect', images, captions, options);
  }

  refer(
    images: EncodedHandle,
    expressions: readonly ImageCaption[],
    options: InferenceOptions,
  ): Promise<ReferResult[]> {
    return this.onTexts('refer', images, expressions, options);
  }

  ask(images: EncodedHandle, questions: readonly ImageCaption[], options: InferenceOptions): Promise<AnswerResult[]> {
    return this.onTexts('ask', images, questions, options);
  }

  async predictMasks(outputs: TextOutputs, index: number, queries: readonly number[]): Promise<PackedCocoRle[]> {
    if (!(outputs instanceof RemoteOutputs)) throw new MdetrError('masks need the outputs that `predict` returned');
    return (await this.call('predictMasks', [this.handleOf(outputs), index, queries])) as PackedCocoRle[];
  }

  async dispose(): Promise<void> {
    if (this.ended !== undefined) return;
    const freed = this.call('dispose', []);
    this.ended = new MdetrError('this model was disposed; load it again');
    // A thread that fails to free its model is ended nevertheless, which frees it.
    await freed.catch(() => undefined);
    this.fail(this.ended);
    this.end();
  }

  /** Fails all calls, now and later: the other thread died. */
  fail(error: Error): void {
    this.ended ??= error;
    for (const { reject } of this.pending.values()) reject(error);
    this.pending.clear();
  }

  private async sent({ image, name }: NamedImage): Promise<NamedImage> {
    return { image: await this.sendImage(image), name: name ?? nameOfSource(image) };
  }

  private async onTexts<R>(
    method: RemoteMethod,
    images: EncodedHandle,
    captions: readonly ImageCaption[],
    options: InferenceOptions,
  ): Promise<R> {
    this.requireUsable();
    const args = [this.handleOf(images), captions, withoutSignal(options)];
    return (await this.call(method, args, options.signal)) as R;
  }

  private call(method: RemoteMethod, args: readonly unknown[], signal?: AbortSignal): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.requireUsable();
      signal?.throwIfAborted();
      const id = this.nextId++;
      const abort = (): void => {
        this.port.post({ kind: 'abort', id });
        reject(signal!.reason as Error);
      };
      signal?.addEventListener('abort', abort, { once: true });
      const settled = (): void => signal?.removeEventListener('abort', abort);
      this.pending.set(id, {
        resolve: (value) => {
          settled();
          resolve(value);
        },
        reject: (error) => {
          settled();
          reject(error);
        },
      });
      try {
        this.port.post({ kind: 'call', id, method, args });
      } catch (error) {
        this.pending.delete(id);
        settled();
        reject(new MdetrError(`the arguments cannot be sent to a worker (${messageOf(error)})`, { cause: error }));
      }
    });
  }

  private settle(reply: Reply): void {
    const call = this.pending.get(reply.id);
    this.pending.delete(reply.id);
    if (reply.kind === 'result') call?.resolve(reply.value);
    else call?.reject(receivedError(reply.error));
  }

  private encoded(value: unknown): EncodedHandle {
    const { handle, sizes } = value as SentImages;
    return this.keep({ images: sizes.map((original) => ({ original })) }, handle);
  }

  private keep<T extends object>(value: T, handle: number): T {
    this.handles.set(value, handle);
    this.collected.register(value, handle, value);
    return value;
  }

  private drop(value: object): void {
    const handle = this.handles.get(value);
    if (handle === undefined) return;
    this.handles.delete(value);
    this.collected.unregister(value);
    this.free(handle);
  }

  private free(handle: number): void {
    if (this.ended === undefined) this.port.post({ kind: 'release', handles: [handle] });
  }

  private handleOf(value: object): number {
    const handle = this.handles.get(value);
    if (handle === undefined) throw new MdetrError('internal: the value is not of this model, or was released');
    return handle;
  }

  private requireUsable(): void {
    if (this.ended !== undefined) throw this.ended;
  }
}

/** Options that can be cloned; aborting is a message of its own. */
const withoutSignal = <T extends { readonly signal?: AbortSignal | undefined }>({
  signal: _signal,
  ...options
}: T): Omit<T, 'signal'> => options;

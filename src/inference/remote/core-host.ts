import { MdetrError } from '../../errors.ts';
import type { Encoding } from '../../text/index.ts';
import type { InferenceCore } from '../core.ts';
import type { EncodedImages } from '../encoded-images.ts';
import type { EncodeOptions, NamedImage } from '../model-core.ts';
import type { InferenceOptions } from '../options.ts';
import type { PreparedImage } from '../preprocess.ts';
import type { ImageCaption, TextOutputs } from '../text-outputs.ts';
import type { Port, RemoteFacts, RemoteMethod, Reply, Request, SentEncoding, SentOutputs } from './messages.ts';
import { sentError } from './sent-error.ts';

/** Facts about a core that its callers keep. */
export const remoteFacts = (core: InferenceCore): RemoteFacts => {
  const { config, notice, report, answers, dtype, calibration, preprocessing } = core.source;
  return {
    config,
    notice,
    report,
    answers,
    dtype,
    calibration,
    preprocessing,
    device: core.device,
    hasMasks: core.hasMasks,
  };
};

/** Answers the calls of a `RemoteCore` at the other end of a channel. Values that only this thread can hold get handles. */
export const serveCore = (core: InferenceCore, port: Port): void => {
  const held = new Map<number, object>();
  const running = new Map<number, AbortController>();
  let nextHandle = 1;
  const hold = (value: object): number => {
    held.set(nextHandle, value);
    return nextHandle++;
  };
  // A handle comes back to the method that knows what it holds.
  // eslint-disable-next-line @typescript-eslint/no-unnecessary-type-parameters
  const get = <T>(handle: unknown): T => {
    const value = held.get(handle as number);
    if (value === undefined) throw new MdetrError(`internal: there is no value ${String(handle)}`);
    return value as T;
  };
  const sentImages = (images: EncodedImages): object => ({
    handle: hold(images),
    sizes: images.images.map(({ original: { width, height } }) => ({ width, height })),
  });
  const onTexts =
    (method: 'detect' | 'refer' | 'ask') =>
    ([images, captions, options]: readonly unknown[], signal: AbortSignal): Promise<unknown> =>
      core[method](get(images), captions as ImageCaption[], { ...(options as InferenceOptions), signal });

  const methods: Readonly<Record<RemoteMethod, (args: readonly unknown[], signal: AbortSignal) => Promise<unknown>>> = {
    prepare: async ([image, decode]) =>
      hold(await core.prepare(image as NamedImage, decode as EncodeOptions['decode'])),
    encode: async ([images, options], signal) =>
      sentImages(await core.encode(images as NamedImage[], { ...(options as EncodeOptions), signal })),
    encodePrepared: async ([handles, preprocessMs, options], signal) => {
      const images = (handles as number[]).map((handle) => get<PreparedImage>(handle));
      const encoded = await core.encodePrepared(images, preprocessMs as number, {
        ...(options as EncodeOptions),
        signal,
      });
      return sentImages(encoded);
    },
    predict: async ([images, captions, options], signal) => {
      const about = captions as ImageCaption[];
      const outputs = await core.predict(get(images), about, { ...(options as InferenceOptions), signal });
      return { handle: hold(outputs), texts: about.map((_, index) => sentOutputs(outputs, index)) };
    },
    detect: onTexts('detect'),
    refer: onTexts('refer'),
    ask: onTexts('ask'),
    predictMasks: ([outputs, index, queries]) =>
      core.predictMasks(get(outputs), index as number, queries as readonly number[]),
    dispose: async () => {
      await core.dispose();
      held.clear();
    },
  };

  const answer = async ({ id, method, args }: Extract<Request, { kind: 'call' }>): Promise<void> => {
    const abort = new AbortController();
    running.set(id, abort);
    let reply: Reply;
    try {
      const value = await methods[method](args, abort.signal);
      // The caller has already given up, and would never release what it got.
      if (abort.signal.aborted) held.delete(handleIn(value));
      reply = { kind: 'result', id, value };
    } catch (error) {
      reply = { kind: 'failure', id, error: sentError(error) };
    }
    running.delete(id);
    port.post(reply);
  };

  port.listen((message) => {
    const request = message as Request;
    if (request.kind === 'call') void answer(request);
    else if (request.kind === 'abort') running.get(request.id)?.abort();
    else for (const handle of request.handles) held.delete(handle);
  });
};

/** The handle in the value of a call; 0, which is none, for values without. */
const handleIn = (value: unknown): number => {
  if (typeof value === 'number') return value;
  return typeof value === 'object' && value !== null && 'handle' in value ? (value.handle as number) : 0;
};

const sentOutputs = (outputs: TextOutputs, index: number): SentOutputs => {
  const { logits, boxes, isFinal } = outputs.detection(index);
  const { width, height } = outputs.size(index);
  return {
    // Slices of a batch: a clone of a view would copy the batch.
    detection: { logits: logits.slice(), boxes: boxes.slice(), isFinal: isFinal?.slice() },
    answers: outputs.answers(index),
    size: { width, height },
    encoding: sentEncoding(outputs.encoding(index)),
  };
};

const sentEncoding = ({ text, ids, tokens, offsets, truncatedFrom, warnings }: Encoding): SentEncoding => ({
  text,
  ids,
  tokens,
  offsets,
  truncatedFrom,
  warnings,
});

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ImageSource } from '../../data/images/image-source.ts';
import { MdetrError, UsageError } from '../../errors.ts';
import { LoadedModel } from '../loaded-model.ts';
import { MDETR } from '../node/mdetr.ts';
import { openCore } from '../node/open-core.ts';
import type { InferenceCore } from '../core.ts';
import { remoteFacts, serveCore } from './core-host.ts';
import type { Port } from './messages.ts';
import { RemoteCore } from './remote-core.ts';

class RemoteModel extends LoadedModel {
  static of(core: RemoteCore): RemoteModel {
    return new RemoteModel(core);
  }
}

const portOf = (port: MessagePort): Port => ({
  post: (message) => port.postMessage(message),
  listen: (listener) => {
    port.addEventListener('message', ({ data }) => listener(data));
    port.start();
  },
});

/** A model at the other end of a channel. */
const connect = (core: InferenceCore) => {
  const { port1, port2 } = new MessageChannel();
  const sent: unknown[] = [];
  const port = portOf(port1);
  serveCore(core, portOf(port2));
  const remote = new RemoteCore(
    {
      ...port,
      post: (message) => {
        sent.push(message);
        port.post(message);
      },
    },
    remoteFacts(core),
    (image) => Promise.resolve(image),
    () => port1.close(),
  );
  return { remote, model: RemoteModel.of(remote), sent };
};

const collect = async <T>(items: AsyncIterable<T>): Promise<T[]> => {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
};

const noise = (width: number, height: number, seed: number): ImageSource => ({
  width,
  height,
  channels: 3,
  data: Uint8Array.from({ length: width * height * 3 }, (_, i) => (i * (seed * 2 + 7) + (i >> 5) * 31) & 255),
});
const images = [noise(96, 64, 1), noise(80, 80, 2)] as const;
const options = { threshold: 0.02, masks: true };
const untimed = (results: unknown): unknown =>
  JSON.parse(JSON.stringify(results, (key, value: unknown) => (key === 'timing' ? undefined : value)));

let local: MDETR;
let core: InferenceCore;
beforeAll(async () => {
  local = await MDETR.fromPretrained('default', { threads: 1 });
  core = await openCore('default', { threads: 1 });
});
afterAll(() => Promise.all([local.dispose(), core.dispose()]));

describe('a model in another thread', () => {
  it('gives the results of a model in this thread, for every call', async () => {
    const { model } = connect(core);
    const texts = ['a red cube', 'the ball'];
    for (const image of images) {
      expect(untimed(await model.detect(image, texts, options))).toEqual(
        untimed(await local.detect(image, texts, options)),
      );
      expect(untimed(await model.refer(image, 'the ball', options))).toEqual(
        untimed(await local.refer(image, 'the ball', options)),
      );
      expect(untimed(await model.ask(image, 'Is there a cube?'))).toEqual(
        untimed(await local.ask(image, 'Is there a cube?')),
      );
    }
    const items = [...images, images[0]].map((image, index) => ({ image, text: texts[index % 2]! }));
    expect(untimed(await model.detectBatch(items, options))).toEqual(untimed(await local.detectBatch(items, options)));
    const streamed = await collect(model.detectStream(items, options));
    expect(untimed(streamed)).toEqual(untimed(await collect(local.detectStream(items, options))));
    const scene = await model.encodeImage(images[0]);
    expect(scene.size).toEqual({ width: 96, height: 64 });
    expect(untimed(await scene.detect(texts, options))).toEqual(untimed(await local.detect(images[0], texts, options)));
    expect({ ...model.config, facts: [model.notice, model.hasMasks, model.device] }).toEqual({
      ...local.config,
      facts: [local.notice, local.hasMasks, local.device],
    });
  });

  it('gives the outputs of the network, and masks of chosen queries', async () => {
    const { model } = connect(core);
    const item = { image: images[0], text: 'a red cube' };
    const [mine, theirs] = [await model.predict([item]), await local.predict([item])];
    expect(mine.detection(0)).toEqual(theirs.detection(0));
    expect(mine.answers(0)).toEqual(theirs.answers(0));
    expect(mine.size(0)).toMatchObject({ width: 96, height: 64 });
    expect(mine.encoding(0).tokens).toEqual(theirs.encoding(0).tokens);
    expect([2, 3].map((char) => mine.encoding(0).charToToken(char))).toEqual(
      [2, 3].map((char) => theirs.encoding(0).charToToken(char)),
    );
    expect(await model.predictMasks(mine, 0, [1, 4])).toEqual(await local.predictMasks(theirs, 0, [1, 4]));
    expect(() => mine.detection(1)).toThrow(/1 captions, so none has index 1/);
  });

  it('releases features when a call ends', async () => {
    const { model, sent } = connect(core);
    await model.detect(images[0], 'a cube');
    await collect(model.detectStream([{ image: images[0], text: 'a cube' }]));
    const kinds = sent.map((message) => (message as { kind: string; method?: string }).method ?? 'release');
    expect(kinds).toEqual(['encode', 'detect', 'release', 'prepare', 'encodePrepared', 'release', 'detect', 'release']);
  });

  it('throws the errors of the other thread with their class and message', async () => {
    const { model } = connect(core);
    await expect(model.detect(images[0], ' ')).rejects.toThrow(MdetrError);
    await expect(model.detect(images[0], ' ')).rejects.toThrow('the text is empty');
    await expect(model.detect('missing.jpg', 'a')).rejects.toThrow(/^missing\.jpg: /);
    await expect(model.detect(images[0], 'a', { threshold: 2 })).rejects.toThrow(UsageError);
    expect(() => model.checkSize({ width: 5000, height: 1 }, 'a line')).toThrow(/^a line: .* too narrow/);
  });

  it('aborts a call at once and stays usable', async () => {
    const { model, sent } = connect(core);
    const abort = new AbortController();
    const call = model.detect(images[0], 'a cube', { signal: abort.signal });
    abort.abort(new Error('changed my mind'));
    await expect(call).rejects.toThrow('changed my mind');
    expect(await model.detect(images[0], 'a cube')).toMatchObject({ caption: 'a cube' });
    expect(sent.some((message) => (message as { kind: string }).kind === 'abort')).toBe(false);
    const later = new AbortController();
    const running = model.detect(images[0], 'a cube', { signal: later.signal });
    await new Promise((resolve) => setImmediate(resolve));
    later.abort(new Error('too late'));
    await expect(running).rejects.toThrow('too late');
    expect(sent.some((message) => (message as { kind: string }).kind === 'abort')).toBe(true);
  });

  it('fails every call when the other thread dies or the model is disposed', async () => {
    const { model, remote } = connect(core);
    const call = model.detect(images[0], 'a cube');
    await new Promise((resolve) => setImmediate(resolve));
    remote.fail(new MdetrError('the worker died'));
    await expect(call).rejects.toThrow('the worker died');
    await expect(model.detect(images[0], 'a cube')).rejects.toThrow('the worker died');
    const second = connect(await openCore('default', { threads: 1 }));
    await second.model.dispose();
    await second.model.dispose();
    await expect(second.model.detect(images[0], 'a cube')).rejects.toThrow('this model was disposed');
  });
});

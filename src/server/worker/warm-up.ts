import type { InferenceCore } from '../../inference/core.ts';
import type { PartTimes } from './messages.ts';

const WIDTH = 640;
const HEIGHT = 480;

/** Runs faster than this are measured a second time: the first one also allocates memory. */
const REPEAT_BELOW_MS = 500;

/**
 * Times of one image and one caption, measured on a gray image of 640 × 480. The run also makes the programs allocate their
 * memory, so that the first request does not wait for it.
 */
export const measureParts = async (core: InferenceCore): Promise<PartTimes> => {
  const first = await measureOnce(core);
  return first.imageMs + first.textMs < REPEAT_BELOW_MS ? measureOnce(core) : first;
};

const measureOnce = async (core: InferenceCore): Promise<PartTimes> => {
  const data = new Uint8Array(WIDTH * HEIGHT * 3).fill(128);
  const started = performance.now();
  const prepared = await core.prepare({ image: { width: WIDTH, height: HEIGHT, channels: 3, data } });
  const atPrepared = performance.now();
  const encoded = await core.encodePrepared([prepared], 0, {});
  const atEncoded = performance.now();
  await core.detect(encoded, [{ image: 0, text: 'a red cube', captionIndex: 0 }], {});
  return {
    prepareMs: atPrepared - started,
    imageMs: atEncoded - atPrepared,
    textMs: performance.now() - atEncoded,
  };
};

import { MdetrError } from '../errors.ts';
import { packMask, type PackedCocoRle } from '../geometry/run-lengths.ts';
import { masksAtOriginalSize } from '../postprocess/masks.ts';
import type { HostTensor } from '../engine/graph/index.ts';
import type { SessionOf } from '../engine/runtime/runtime.ts';
import type { InferencePrograms } from './programs.ts';
import { sizeOfImage } from './preprocess.ts';
import type { ProgramOutputs } from './text-outputs.ts';

/** Bytes of intermediate maps that one run of the head may hold at a time. */
const CHUNK_BYTES = 512 * 2 ** 20;
/** Maps of a query that live at once, counted in its finest map with all its channels. */
const LIVE_MAPS = 6;

/** Predicts masks of queries, after the text program has run. */
export interface MaskPredictor {
  /** Masks of the queries, in their order, at the size of the original image. Stops between chunks when aborted. */
  predict(
    outputs: ProgramOutputs,
    row: number,
    queries: readonly number[],
    signal?: AbortSignal,
  ): Promise<PackedCocoRle[]>;
  dispose(): Promise<void>;
}

/** The loaded program of the segmentation head. */
export type MaskSession = SessionOf<NonNullable<InferencePrograms['masks']>>;

/** Runs the segmentation head for chosen queries, a chunk at a time so that memory stays bounded. */
export class MaskProgram implements MaskPredictor {
  private session: Promise<MaskSession> | undefined;

  /** @param load loads the program when masks are wanted for the first time */
  constructor(private load: () => Promise<MaskSession>) {}

  async predict(
    outputs: ProgramOutputs,
    row: number,
    queries: readonly number[],
    signal?: AbortSignal,
  ): Promise<PackedCocoRle[]> {
    const hs = outputs.output('hs', row)!;
    const features = hs.shape[2]!;
    const shared = {
      pyramid0: outputs.imageFeature('pyramid0', row),
      pyramid1: outputs.imageFeature('pyramid1', row),
      pyramid2: outputs.imageFeature('pyramid2', row),
      image_memory: outputs.output('image_memory', row)!,
      src: outputs.imageFeature('src', row)!,
      feature_padding: outputs.imageFeature('feature_padding', row)!,
    };
    const finest = shared.pyramid2 ?? shared.pyramid1 ?? shared.pyramid0 ?? shared.src;
    const [, , height, width] = finest.shape as [number, number, number, number];
    const bytesPerQuery = height * width * Math.ceil(features / 8) * 4 * LIVE_MAPS;
    const chunk = Math.max(1, Math.floor(CHUNK_BYTES / bytesPerQuery));
    const masks: PackedCocoRle[] = [];
    const session = await (this.session ??= this.load());
    for (let start = 0; start < queries.length; start += chunk) {
      const chosen = queries.slice(start, start + chunk);
      const { pred_masks: logits } = await session.run({
        ...shared,
        mask_hs: selectQueries(hs, chosen),
        mask_samples: { dtype: 'int32', shape: [chosen.length], data: new Int32Array(chosen.length) },
      });
      signal?.throwIfAborted();
      masks.push(...masksOf(logits, outputs, row));
    }
    return masks;
  }

  async dispose(): Promise<void> {
    const { session } = this;
    this.load = () => Promise.reject(new MdetrError('the model was disposed'));
    this.session = undefined;
    await session?.then(
      (loaded) => loaded.dispose(),
      () => undefined, // It was not loaded.
    );
  }
}

/** Reads masks from an output that holds those of all queries. */
export class PredictedMasks implements MaskPredictor {
  predict(outputs: ProgramOutputs, row: number, queries: readonly number[]): Promise<PackedCocoRle[]> {
    const all = outputs.output('pred_masks', row)!;
    const [, , ...size] = all.shape as [number, number, number, number];
    const chosen = selectQueries({ ...all, shape: [1, all.shape[1]!, size[0] * size[1]] }, queries);
    return Promise.resolve(masksOf({ ...chosen, shape: [queries.length, ...size] }, outputs, row));
  }

  dispose(): Promise<void> {
    return Promise.resolve();
  }
}

/** Masks at the size of the original image, from logits (N, h, w). */
const masksOf = (logits: HostTensor, outputs: ProgramOutputs, row: number): PackedCocoRle[] => {
  const [queries, height, width] = logits.shape as [number, number, number];
  const { original, resized } = outputs.image(row);
  const sizes = { padded: outputs.padded(row), resized: sizeOfImage(resized), original: sizeOfImage(original) };
  return masksAtOriginalSize({ data: logits.data as Float32Array, queries, height, width }, sizes).map(packMask);
};

/** hs (1, Q, D) → (chosen, D). */
const selectQueries = (hs: HostTensor, chosen: readonly number[]): HostTensor => {
  const features = hs.shape[2]!;
  const source = hs.data as Float32Array;
  const data = new Float32Array(chosen.length * features);
  chosen.forEach((query, index) =>
    data.set(source.subarray(query * features, (query + 1) * features), index * features),
  );
  return { dtype: 'float32', shape: [chosen.length, features], data };
};

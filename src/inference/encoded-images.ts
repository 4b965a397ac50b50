import type { ModelSource } from '../model-folder/model-source.ts';
import { encodeBatch, type EncodedBatch } from '../text/index.ts';
import type { InferenceOptions } from './options.ts';
import type { Size } from '../geometry/size.ts';
import { MdetrError } from '../errors.ts';
import { concatValues } from '../engine/graph/concat-values.ts';
import type { HostTensor } from '../engine/graph/index.ts';
import type { ModelConfig } from '../models/index.ts';
import type { SessionOf } from '../engine/runtime/runtime.ts';
import type { SpareBuffers } from '../engine/runtime/spare-buffers.ts';
import type { ImageSize } from '../postprocess/scored-boxes.ts';
import type { EvidenceByName, ImageResults, InferencePrograms } from './programs.ts';
import { batchImages, type PreparedImage } from './preprocess.ts';

/** An image without its pixels: what results need once the image program has run. */
export interface SeenImage {
  readonly name: string;
  readonly original: ImageSize;
  readonly resized: ImageSize;
  readonly warnings: readonly string[];
}

/** Images that went through the image program together. */
export interface ImageGroup {
  /** Outputs of the image program, batch size first. */
  readonly features: ImageResults;
  /** Height and width in pixels of the padded batch. */
  readonly padded: Size;
}

/** Images with the outputs of the image program, in groups. */
export interface EncodedImages {
  readonly images: readonly SeenImage[];
  readonly groups: readonly ImageGroup[];
  /** Group of every image, and the image's index in the batch of that group. */
  readonly locations: readonly { readonly group: number; readonly index: number }[];
  readonly preprocessMs: number;
  readonly modelMs: number;
}

/** Number of rows and of columns of the learned position embeddings. */
const LEARNED_POSITIONS = 50;

/** Settings of a run of the image program, and the time that its images have taken. */
interface EncodeRun {
  readonly preprocessMs: number;
  /** Pads all images to one batch, as the official evaluation does. */
  readonly isPadded: boolean;
  readonly signal: AbortSignal | undefined;
  /** Memory of earlier batches. */
  readonly memory: SpareBuffers;
}

/**
 * Runs the image program on images, one run for all of the same size. Images of different sizes are never padded to a
 * common one, because padding changes what the network sees: the detections of an image would depend on the rest of its batch.
 *
 * @throws {MdetrError} if a feature map is larger than the learned position embeddings of the model
 */
export const encodeImages = async (
  session: Pick<SessionOf<InferencePrograms['image']>, 'run'>,
  config: ModelConfig,
  images: readonly PreparedImage[],
  { preprocessMs, isPadded, signal, memory }: EncodeRun,
): Promise<EncodedImages> => {
  const members = new Map<string, number[]>();
  const locations = images.map(({ resized }, image) => {
    const key = isPadded ? '' : `${resized.width}x${resized.height}`;
    const own = members.get(key) ?? [];
    members.set(key, own);
    return { group: [...members.keys()].indexOf(key), index: own.push(image) - 1 };
  });
  const groups: ImageGroup[] = [];
  let [collateMs, modelMs] = [0, 0];
  for (const group of members.values()) {
    signal?.throwIfAborted();
    const started = performance.now();
    const batch = batchImages(
      group.map((image) => images[image]!),
      (bytes) => memory.take(bytes),
    );
    const collated = performance.now();
    const features = await session.run({
      image: { dtype: 'float32', shape: [batch.batch, 3, batch.height, batch.width], data: batch.tensors },
      padding: { dtype: 'bool', shape: [batch.batch, batch.height, batch.width], data: batch.mask },
    });
    for (const used of [batch.tensors, batch.mask]) if (!isPartOf(features, used)) memory.give(used);
    requirePositions(config, features);
    groups.push({ features, padded: [batch.height, batch.width] });
    collateMs += collated - started;
    modelMs += performance.now() - collated;
  }
  return { images, groups, locations, preprocessMs: preprocessMs + collateMs, modelMs };
};

/** Whether an array is among the features: a network that is one program keeps the pixels there. */
const isPartOf = (features: ImageResults, array: ArrayBufferView): boolean =>
  Object.values(features).some((value) => value?.data.buffer === array.buffer);

const requirePositions = (config: ModelConfig, features: ImageResults): void => {
  const [, channels, height = 0, width = 0] = features.src.shape;
  // A network that is one program keeps the pixels here, which have 3 channels.
  if (channels !== config.hidden_dim) return;
  if (
    (config.position_embedding === 'learned' || config.position_embedding === 'v3') &&
    Math.max(height, width) > LEARNED_POSITIONS
  )
    throw new MdetrError(
      `this model has position embeddings for feature maps up to ${LEARNED_POSITIONS} × ${LEARNED_POSITIONS}, but the image has ${height} × ${width}; use a smaller image`,
    );
};

/** Slice of a batched value for one image or caption: (B, ...) -> (1, ...), without a copy. */
export const batchItem = (value: HostTensor, index: number): HostTensor => {
  const length = value.shape.slice(1).reduce((product, size) => product * size, 1);
  return {
    ...value,
    shape: [1, ...value.shape.slice(1)],
    data: value.data.subarray(index * length, (index + 1) * length),
  } as HostTensor;
};

/** Size of an image in pixels. */
const sizeOf = ({ width, height }: ImageSize): ImageSize => ({ width, height });

/**
 * Separates images that were encoded together. Each keeps copies of its own features only, so that the memory of the batch
 * can be freed, and neither pixels nor times.
 */
export const separateImages = ({ images, groups, locations }: EncodedImages): EncodedImages[] =>
  images.map(({ name, original, resized, warnings }, image) => {
    const { group, index } = locations[image]!;
    const { features, padded } = groups[group]!;
    const own = Object.entries(features as Readonly<Record<string, HostTensor | undefined>>).map(([key, value]) => {
      if (value === undefined) return [key, undefined];
      const item = batchItem(value, index);
      return [key, { ...item, data: item.data.slice() }];
    });
    return {
      images: [{ name, original: sizeOf(original), resized: sizeOf(resized), warnings }],
      groups: [{ features: Object.fromEntries(own) as ImageResults, padded }],
      locations: [{ group: 0, index: 0 }],
      preprocessMs: 0,
      modelMs: 0,
    };
  });

/** Images of several calls as one value, in their order. The times are zero: they belong to the calls. */
export const joinImages = (parts: readonly EncodedImages[]): EncodedImages => {
  const groups = parts.flatMap((part) => part.groups);
  let before = 0;
  const locations = parts.flatMap((part) => {
    const first = before;
    before += part.groups.length;
    return part.locations.map(({ group, index }) => ({ group: first + group, index }));
  });
  return { images: parts.flatMap(({ images }) => images), groups, locations, preprocessMs: 0, modelMs: 0 };
};

/** Bytes of the features of encoded images. */
export const featureBytes = ({ groups }: EncodedImages): number =>
  groups
    .flatMap(({ features }) => Object.values(features as Readonly<Record<string, HostTensor | undefined>>))
    .reduce((sum, value) => sum + (value?.data.byteLength ?? 0), 0);

/** Groups whose features have one shape, by the index of each group: captions about them can run together. */
export const groupsOfOneShape = (groups: readonly ImageGroup[]): number[][] => {
  const byShape = new Map<string, number[]>();
  for (const [index, { features }] of groups.entries()) {
    const key = features.src.shape.slice(1).join();
    byShape.set(key, [...(byShape.get(key) ?? []), index]);
  }
  return [...byShape.values()];
};

/** Concatenates tensors along the batch axis. A single one is returned as it is. */
export const concatBatches = (values: readonly HostTensor[]): HostTensor => {
  const [first] = values as readonly [HostTensor, ...HostTensor[]];
  if (values.length === 1) return first;
  const type = first.data.constructor as new (length: number) => typeof first.data;
  const data = concatValues(
    type,
    values.map((value) => value.data),
  );
  const batch = values.reduce((sum, { shape }) => sum + shape[0]!, 0);
  return { ...first, shape: [batch, ...first.shape.slice(1)], data } as HostTensor;
};

/** The evidence among the outputs of several runs of the image program, as inputs of the text program. */
export const evidenceFeeds = (runs: readonly ImageResults[]): EvidenceByName<HostTensor> => {
  const joined = (part: keyof EvidenceByName<unknown>): HostTensor | undefined => {
    const values = runs.flatMap((results) => results[part] ?? []);
    return values.length === 0 ? undefined : concatBatches(values);
  };
  return {
    evidence_boxes: joined('evidence_boxes'),
    evidence_features: joined('evidence_features'),
    evidence_absolute: joined('evidence_absolute'),
    evidence_relative: joined('evidence_relative'),
    evidence_positions: joined('evidence_positions'),
  };
};

/** Captions of one run of the text program. */
export interface TextBatch {
  /** Groups of images, whose features are concatenated. */
  readonly groups: readonly ImageGroup[];
  /** Indices of the captions. */
  readonly members: readonly number[];
  /** Index of each caption's image in the concatenated features. */
  readonly batchIndices: readonly number[];
  readonly tokens: EncodedBatch;
}

/** Attention scores of one run beyond which captions of an image are faster one after the other: they no longer fit the caches. */
const MAX_SCORE_BYTES = 2 ** 25;
const SCORE_BYTES = 4;

/**
 * Maximum number of captions of one image in a run of the text program: as many as their attention scores have room for in the caches.
 *
 * @param positions size of the feature map
 * @param heads attention heads
 */
export const captionsPerRun = (positions: number, heads: number): number =>
  Math.max(1, Math.floor(MAX_SCORE_BYTES / (SCORE_BYTES * heads * positions ** 2)));

/**
 * Captions about images of one feature shape, tokenized and padded to a batch. Many captions of a single large image are several
 * batches ({@link captionsPerRun}).
 */
export const textBatches = (
  { groups, locations }: EncodedImages,
  captions: readonly { readonly image: number; readonly text: string }[],
  { tokenizer, config }: Pick<ModelSource, 'tokenizer' | 'config'>,
  { truncation = 'error' }: InferenceOptions,
): TextBatch[] =>
  groupsOfOneShape(groups).flatMap((together) => {
    const locationOf = (caption: number) => locations[captions[caption]!.image]!;
    const about = [...captions.keys()].filter((caption) => together.includes(locationOf(caption).group));
    if (about.length === 0) return [];
    const used = together.filter((group) => about.some((caption) => locationOf(caption).group === group));
    const starts = new Map<number, number>();
    let images = 0;
    for (const group of used) {
      starts.set(group, images);
      images += groups[group]!.features.src.shape[0]!;
    }
    const [, , height, width] = groups[used[0]!]!.features.src.shape;
    // Of several images, each run would compute the projections of all of them again.
    const atOnce = images > 1 ? about.length : captionsPerRun(height! * width!, config.nheads);
    return Array.from({ length: Math.ceil(about.length / atOnce) }, (_, run) => {
      const members = about.slice(run * atOnce, (run + 1) * atOnce);
      const texts = members.map((caption) => captions[caption]!.text);
      return {
        groups: used.map((group) => groups[group]!),
        members,
        batchIndices: members.map((caption) => {
          const { group, index } = locationOf(caption);
          return starts.get(group)! + index;
        }),
        tokens: encodeBatch(tokenizer, texts, { truncation }),
      };
    });
  });

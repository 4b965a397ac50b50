import { MdetrError } from '../errors.ts';
import { SOFT_TOKEN_CLASSES } from '../text/soft-tokens.ts';
import { alignmentMap, type CharacterSpan, type TokenLookup } from './alignment-map.ts';
import type { CriterionConfig } from './config.ts';
import { hasMaskLosses, type LossConfig } from './weights.ts';

/** What is known about one image and its caption; everything per box stands in the same order. n boxes. */
export interface SampleTarget {
  /** (n, 4) centre x, centre y, width, height, relative to the image without padding. */
  readonly boxesCxcywh: Float32Array;
  /** The tokens of every box, as `createPositiveMap` finds them. */
  readonly positiveRows: readonly { readonly count: number; readonly tokens: readonly number[] }[];
  /** The spans of every box; for the alignment loss. */
  readonly tokensPositive?: readonly (readonly CharacterSpan[])[];
  /** (n) 1 for the object that the caption is about; for `predict_final`. */
  readonly isFinal?: ArrayLike<number>;
  /** For models with masks. */
  readonly masks?: SampleMasks;
}

/** (n, height, width) bytes of 0 and 1, at the size of the image that the model sees, without padding. */
export interface SampleMasks {
  readonly data: Uint8Array;
  readonly height: number;
  readonly width: number;
}

/** The captions of a batch: how long they are when padded, and where their characters are. */
export interface CaptionTokens {
  /** T */
  readonly tokens: number;
  /** One for each sample. */
  readonly encodings: readonly TokenLookup[];
}

/** The targets of a batch, boxes of all samples one after another: N boxes, T tokens. */
export interface LossTargets {
  /** Number of boxes of every sample; they add up to N. */
  readonly boxCounts: readonly number[];
  /** (N, 4) centre x, centre y, width, height. */
  readonly boxesCxcywh: Float32Array;
  /** (N, 256) weight of every token slot; slot 255 is no-object and stays 0 unless a caption has that many tokens. */
  readonly positiveMap: Float32Array;
  /** (N, T) 0 and 1: the tokens that a box is to be aligned with. */
  readonly alignment?: { readonly map: Float32Array; readonly tokens: number };
  /** (N) */
  readonly isFinal?: Float32Array;
  /** (N, H, W) 0 and 1, padded at the right and at the bottom to the largest mask. */
  readonly masks?: SampleMasks;
}

/**
 * Joins the targets of a batch for matching and losses. What some sample lacks (spans, `isFinal`, masks) is left out of
 * the whole, unless the config trains on it.
 *
 * @param captions for the alignment loss; without them there is no alignment map
 * @throws {MdetrError} naming the setting and the sample that lacks what it needs
 */
export const joinTargets = (
  samples: readonly SampleTarget[],
  captions: CaptionTokens | undefined,
  config: LossConfig,
): LossTargets => {
  const boxCounts = samples.map(({ boxesCxcywh }) => boxesCxcywh.length / 4);
  samples.forEach((sample, index) => {
    requireTrained(sample, index, config);
    requireRows(sample, boxCounts[index]!, index);
  });
  const positiveRows = samples.flatMap((sample) => sample.positiveRows);
  const spans = allOf(samples, ({ tokensPositive }) => tokensPositive);
  const isFinal = allOf(samples, (sample) => sample.isFinal);
  const masks = allOf(samples, (sample) => sample.masks);
  return {
    boxCounts,
    boxesCxcywh: Float32Array.from(samples.flatMap(({ boxesCxcywh }) => [...boxesCxcywh])),
    positiveMap: positiveMap(positiveRows, config.positive_map),
    ...(captions !== undefined && spans !== undefined
      ? {
          alignment: {
            map: alignmentMap(spans, captions.encodings, captions.tokens, config.align_fallback),
            tokens: captions.tokens,
          },
        }
      : {}),
    ...(isFinal === undefined ? {} : { isFinal: Float32Array.from(isFinal.flatMap((values) => Array.from(values))) }),
    ...(masks === undefined ? {} : { masks: padMasks(masks, boxCounts) }),
  };
};

/** The property of every sample, or nothing when one of them lacks it. */
const allOf = <T>(samples: readonly SampleTarget[], property: (sample: SampleTarget) => T | undefined) => {
  const values = samples.map(property).filter((value): value is NonNullable<typeof value> => value !== undefined);
  return values.length === samples.length ? values : undefined;
};

/** What a target must have for every setting that trains on it. */
const requireTrained = (sample: SampleTarget, index: number, config: LossConfig): void => {
  const needs = [
    { setting: 'predict_final', isOn: config.predict_final, value: sample.isFinal, what: 'isfinal marks' },
    { setting: 'mask_model', isOn: hasMaskLosses(config), value: sample.masks, what: 'masks' },
    {
      setting: 'contrastive_align_loss',
      isOn: config.contrastive_align_loss,
      value: sample.tokensPositive,
      what: 'tokens_positive',
    },
  ];
  for (const { setting, isOn, value, what } of needs)
    if (isOn && value === undefined)
      throw new MdetrError(
        `sample ${index} of the batch has no ${what}, which ${setting} needs: turn it off or complete the annotations`,
      );
};

const requireRows = (sample: SampleTarget, boxes: number, index: number): void => {
  const { positiveRows, tokensPositive, isFinal, masks } = sample;
  const lengths = {
    positiveRows: positiveRows.length,
    tokensPositive: tokensPositive?.length,
    isFinal: isFinal?.length,
    masks: masks === undefined ? undefined : masks.data.length / (masks.height * masks.width || 1),
  };
  for (const [name, length] of Object.entries(lengths))
    if (length !== undefined && length !== boxes)
      throw new Error(`internal: sample ${index} of the batch has ${boxes} boxes, but ${name} for ${length}`);
};

const positiveMap = (rows: SampleTarget['positiveRows'], kind: CriterionConfig['positive_map']): Float32Array => {
  const map = new Float32Array(rows.length * SOFT_TOKEN_CLASSES);
  rows.forEach(({ count, tokens }, row) => {
    const value = kind === 'binary' ? 1 : 1 / Math.fround(count + Math.fround(1e-6));
    for (const token of tokens) map[row * SOFT_TOKEN_CLASSES + token] = value;
  });
  return map;
};

const padMasks = (masks: readonly SampleMasks[], boxCounts: readonly number[]): SampleMasks => {
  const height = Math.max(0, ...masks.map((mask) => mask.height));
  const width = Math.max(0, ...masks.map((mask) => mask.width));
  const boxes = boxCounts.reduce((sum, count) => sum + count, 0);
  const data = new Uint8Array(boxes * height * width);
  let box = 0;
  masks.forEach((mask, sample) => {
    for (let n = 0; n < boxCounts[sample]!; n++, box++) {
      for (let y = 0; y < mask.height; y++) {
        const from = (n * mask.height + y) * mask.width;
        data.set(mask.data.subarray(from, from + mask.width), (box * height + y) * width);
      }
    }
  });
  return { data, height, width };
};

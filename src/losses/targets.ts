import { MdetrError } from '../errors.ts';
import type { HostTensor } from '../engine/graph/index.ts';
import type { CodePointSpan, Encoding, PositiveRow } from '../text/index.ts';

/*
 * A target has three forms between an annotation row and a loss:
 *
 * 1. `Target` (data/format): one image with boxes and masks in pixels, as augmentations change it;
 * 2. `SampleTarget`: one caption, boxes relative to the image, spans as tokens;
 * 3. `BatchTargets`: the tensors of a batch, ready for the loss program.
 */

/** Target of one image and caption, with n boxes. Every list per box is in the same order. */
export interface SampleTarget {
  /** (n, 4) boxes in cxcywh format, relative to the image without padding. */
  readonly boxesCxcywh: Float32Array;
  /** Tokens of each box, from `createPositiveMap`. */
  readonly positiveRows: readonly PositiveRow[];
  /** Spans of each box; for the alignment loss. */
  readonly tokensPositive?: readonly (readonly CodePointSpan[])[];
  /** (n) 1 for boxes that the caption refers to, 0 for landmarks; for `predict_final`. */
  readonly isFinal?: ArrayLike<number>;
  /** For models with a mask head. */
  readonly masks?: SampleMasks;
  /** Labels of the answer heads by official name (`answer_type` …); a missing label is `NO_LABEL`. */
  readonly answers?: Readonly<Record<string, number>>;
}

/** (n, height, width) bytes of 0 and 1, at the size of the image that the model receives, without padding. */
export interface SampleMasks {
  /** (N, height, width), 0 or 1. */
  readonly data: Uint8Array;
  /** Height in pixels. */
  readonly height: number;
  /** Width in pixels. */
  readonly width: number;
}

/** The tokenized captions of a batch. */
export interface CaptionTokens {
  /** T, the length of the padded captions. */
  readonly tokens: number;
  /** One for each sample. */
  readonly encodings: readonly Pick<Encoding, 'charToToken'>[];
}

/** Samples that a loss makes its target tensors from. */
export interface TargetBatch {
  /** Target of each caption. */
  readonly samples: readonly SampleTarget[];
  /** Tokens of the captions; undefined where no loss reads them. */
  readonly captions: CaptionTokens | undefined;
}

/** Targets of a batch as tensors, the boxes of all samples concatenated: N boxes. Made by `joinTargets`. */
export interface BatchTargets {
  /** Number of boxes of each sample; they add up to N. */
  readonly boxCounts: readonly number[];
  /**
   * Inputs of the loss program: `target_boxes` (N, 4) in cxcywh format, `positive_map` (N, 256) with the weight of each
   * token slot (slot 255 is no-object and stays 0 unless a caption has that many tokens), `box_counts` (B), and those of
   * the losses that the config trains.
   */
  readonly inputs: TargetInputs;
}

/** Target tensors by the name of the program input. */
export type TargetInputs = Readonly<Record<string, HostTensor>> & {
  readonly target_boxes: HostTensor;
  readonly positive_map: HostTensor;
  readonly box_counts: HostTensor;
};

/** Fields that not every target has, with their names in messages. */
const OPTIONAL_FIELDS = {
  tokensPositive: 'tokens_positive',
  isFinal: 'isfinal marks',
  masks: 'masks',
} as const satisfies Readonly<Record<OptionalField, string>>;

/** A field that not every target has. */
export type OptionalField = 'tokensPositive' | 'isFinal' | 'masks';

/**
 * A field of every sample.
 *
 * @param setting the key that turns the loss on, for the message
 * @throws {MdetrError} naming the setting and the sample that lacks the field
 */
export const requireField = <Field extends OptionalField>(
  samples: readonly SampleTarget[],
  field: Field,
  setting: string,
): readonly NonNullable<SampleTarget[Field]>[] =>
  samples.map((sample, index) => {
    const value = sample[field];
    if (value === undefined)
      throw new MdetrError(
        `sample ${index} of the batch has no ${OPTIONAL_FIELDS[field]}, which ${setting} needs: turn it off or ` +
          'complete the annotations',
      );
    return value;
  });

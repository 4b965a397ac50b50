import type { Size } from '../geometry/size.ts';
import type { HostTensor } from '../engine/graph/index.ts';
import type { AnswerOutputs } from '../postprocess/answers.ts';
import type { DetectionOutputs, ImageSize } from '../postprocess/scored-boxes.ts';
import type { Timing } from '../results/types.ts';
import type { Encoding } from '../text/index.ts';
import { batchItem, type ImageGroup, type SeenImage } from './encoded-images.ts';
import type { ImageResults, TextResults } from './programs.ts';

/** The network's outputs for a batch of captions, for custom metrics and post-processing. */
export interface TextOutputs {
  /** Logits (Q, 256) and boxes (Q, 4) of the last decoder layer for one caption of the batch. */
  detection(index: number): DetectionOutputs;
  /** Logits of the question heads for one question, under the official output names; empty for models without them. */
  answers(index: number): AnswerOutputs;
  /** Tokens of one caption. */
  encoding(index: number): Encoding;
  /** Size in pixels of the original image of one caption. */
  size(index: number): ImageSize;
}

/** A caption, and the index of its image in the batch. */
export interface ImageCaption {
  readonly image: number;
  readonly text: string;
  /** Index of the caption among those of its image. */
  readonly captionIndex: number;
}

/** One caption, and where its outputs are. */
export interface CaptionOutputs {
  /** Outputs of the text program for the caption's batch. */
  readonly values: TextResults;
  /** Index of the caption in that batch. */
  readonly index: number;
  /** The images that its image was encoded with. */
  readonly group: ImageGroup;
  /** Index of its image in the batch of the image program. */
  readonly imageIndex: number;
  readonly image: SeenImage;
  readonly encoding: Encoding;
}

/** `TextOutputs` with the values that the mask program and results need. */
export class ProgramOutputs implements TextOutputs {
  constructor(
    private readonly captions: readonly CaptionOutputs[],
    private readonly timing: Pick<Timing, 'preprocess' | 'model'>,
  ) {}

  detection(index: number): DetectionOutputs {
    return {
      logits: this.floats('pred_logits', index)!,
      boxes: this.floats('pred_boxes', index)!,
      isFinal: this.floats('pred_isfinal', index),
    };
  }

  answers(index: number): AnswerOutputs {
    const names = Object.keys(this.caption(index).values) as (keyof TextResults)[];
    return Object.fromEntries(
      names.filter((name) => name.startsWith('pred_answer')).map((name) => [name, this.floats(name, index)]),
    );
  }

  /** The outputs of every run of the text program. */
  runs(): ReadonlySet<TextResults> {
    return new Set(this.captions.map(({ values }) => values));
  }

  encoding(index: number): Encoding {
    return this.caption(index).encoding;
  }

  image(index: number): SeenImage {
    return this.caption(index).image;
  }

  size(index: number): ImageSize {
    return this.image(index).original;
  }

  /** Slice of an output for one caption, (1, …); undefined if the network does not have the output. */
  output(name: keyof TextResults, index: number): HostTensor | undefined {
    const { values, index: position } = this.caption(index);
    const value = values[name];
    return value && batchItem(value, position);
  }

  /** Slice of an image feature for one caption's image, (1, …); undefined if the network does not have it. */
  imageFeature(name: keyof ImageResults, index: number): HostTensor | undefined {
    const { group, imageIndex } = this.caption(index);
    const value = group.features[name];
    return value && batchItem(value, imageIndex);
  }

  /** Height and width in pixels to which one caption's image was padded. */
  padded(index: number): Size {
    return this.caption(index).group.padded;
  }

  /** Fields of a result about its image and its time. */
  about(index: number, postprocess: number): ResultContext {
    const { name, original, warnings } = this.image(index);
    return {
      image: name,
      width: original.width,
      height: original.height,
      warnings: [...warnings, ...this.encoding(index).warnings],
      timing: { ...this.timing, postprocess },
    };
  }

  private caption(index: number): CaptionOutputs {
    return this.captions[index]!;
  }

  private floats(name: keyof TextResults, index: number): Float32Array | undefined {
    return this.output(name, index)?.data as Float32Array | undefined;
  }
}

/** Fields of a result that do not depend on what was found. */
export interface ResultContext {
  readonly image: string;
  readonly width: number;
  readonly height: number;
  readonly warnings: readonly string[];
  readonly timing: Timing;
}

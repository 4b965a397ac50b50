import type { Tensor } from '../../engine/graph/index.ts';
import type { Scope } from '../../nn/index.ts';
import type { ModelConfig } from '../config.ts';

/** Objects that a detector proposes in each image, P of them, most certain first; duplicates are left in. */
export interface Proposals {
  /** Probabilities of the detector's categories, (B, P, categories). */
  readonly scores: Tensor;
  /** (B, P, 4) in xyxy format, relative to the image. */
  readonly boxes: Tensor;
  /** Features from which the detector's head computed the scores, (B, P, channels). */
  readonly features: Tensor;
}

/** Output of a backbone that is a detector. */
export interface DetectedImage {
  /** Maps, as `Backbone.forward` returns them. */
  readonly maps: readonly Tensor[];
  /** Boxes and features of the frozen detector. */
  readonly proposals: Proposals;
  /** Mean colors of blocks of the image, (B, 3, h, w), RGB in 0 to 1. */
  readonly colors: Tensor;
}

/** Convolutional network that turns an image into feature maps of decreasing resolution. */
export interface Backbone {
  /** Number of channels of each map that `forward` returns. */
  readonly channels: readonly number[];
  /** Feature maps (B, channels, h, w), finest first, of a normalized image (B, 3, H, W). */
  forward(image: Tensor): readonly Tensor[];
  /** Proposals of an image, P, for a backbone that is a detector. */
  readonly proposalCount?: number;
  /** Number of channels of the proposals' features, for a backbone that is a detector. */
  readonly proposalChannels?: number;
  /** Feature maps and proposals, for a backbone that is a detector. */
  detect?(image: Tensor): DetectedImage;
  /** Whether the official training updates the parameter of this name. */
  isTrainable(name: string): boolean;
}

/** Backbones of one kind, as a config selects them. A new family is one file and one line in `build-backbone.ts`. */
export interface BackboneFamily {
  /** Values of `backbone` that select a member, for error messages; undefined if a key of its own selects the family. */
  readonly choices: string | undefined;
  matches(config: ModelConfig): boolean;
  /**
   * Builds the member that the config names, under the scope of its `state_dict` keys.
   *
   * @throws {MdetrError} for options that the member does not support
   */
  build(scope: Scope, config: ModelConfig): Backbone;
}

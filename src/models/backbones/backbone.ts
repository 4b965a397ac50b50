import type { Tensor } from '../../engine/graph/index.ts';
import type { Scope } from '../../nn/index.ts';
import type { ModelConfig } from '../config.ts';

/** Convolutional network that turns an image into feature maps of decreasing resolution. */
export interface Backbone {
  /** Number of channels of each map that `forward` returns. */
  readonly channels: readonly number[];
  /** Feature maps (B, channels, h, w), finest first, of a normalized image (B, 3, H, W). */
  forward(image: Tensor): readonly Tensor[];
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

import type { Tensor } from '../../engine/graph/index.ts';

/** A convolutional network that yields feature maps of falling resolution. */
export interface FeatureExtractor {
  /** Channels of each map that `forward` returns. */
  readonly channels: readonly number[];
  /** image (B, 3, H, W), normalised → maps (B, channels, h, w), finest first. */
  forward(image: Tensor): readonly Tensor[];
  /** Whether the official training changes the parameter of this name. */
  isTrainable(name: string): boolean;
}

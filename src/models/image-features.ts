import type { Dim, Tensor } from '../engine/graph/index.ts';
import type { ImageEvidence } from './priming/evidence.ts';
import { cast, gather, reshape, resizeNearest } from '../engine/ops/index.ts';

/** Output of the backbone for a batch of images: enough for any number of captions. */
export interface ImageFeatures {
  /** Projected last feature map, (B, D, h, w). */
  readonly src: Tensor;
  /** (B, h, w), true on padding. */
  readonly padding: Tensor;
  /** Feature maps before the last, coarse to fine, for the segmentation head; empty without one. */
  readonly pyramid: readonly Tensor[];
  /** Feature maps of all backbone stages, fine to coarse. */
  readonly stages: readonly Tensor[];
  /** Evidence from a detecting backbone, with `query_selection: proposals`. */
  readonly evidence: ImageEvidence | undefined;
}

/** Evidence of the images of captions: every row is an image. */
const selectEvidence = (evidence: ImageEvidence, imageIndex: Tensor): ImageEvidence => ({
  boxes: gather(evidence.boxes, imageIndex, 0),
  features: gather(evidence.features, imageIndex, 0),
  absolute: gather(evidence.absolute, imageIndex, 0),
  relative: gather(evidence.relative, imageIndex, 0),
  positions: gather(evidence.positions, imageIndex, 0),
});

/** Image features as the rest of the network reads them: one row per caption. */
export type CaptionedFeatures = Omit<ImageFeatures, 'stages'>;

/** Resizes a padding mask (B, H, W) to the size of a feature map, nearest neighbor. */
export const downsampleMask = (padding: Tensor, height: Dim, width: Dim): Tensor => {
  const [batch, ...size] = padding.shape as [Dim, Dim, Dim];
  const asBytes = cast(reshape(padding, [batch, 1, ...size]), 'uint8');
  return cast(reshape(resizeNearest(asBytes, height, width), [batch, height, width]), 'bool');
};

/** Repeats image features for several captions each. imageIndex (B) int32 is the index of every caption's image. */
export const selectImages = (features: CaptionedFeatures, imageIndex: Tensor): CaptionedFeatures => ({
  src: gather(features.src, imageIndex, 0),
  padding: gather(features.padding, imageIndex, 0),
  pyramid: features.pyramid.map((map) => gather(map, imageIndex, 0)),
  evidence: features.evidence && selectEvidence(features.evidence, imageIndex),
});

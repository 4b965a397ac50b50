import type { Feeds } from '../../engine/runtime/runtime.ts';
import type { BatchTargets } from '../../losses/index.ts';

/** A batch as the network and the losses read it. B captions about I images. */
export interface TrainBatch {
  /** image (I, 3, H, W), padding (I, H, W), image_index (B), input_ids and attention_mask (B, T). */
  readonly inputs: Feeds;
  /** Targets of the losses. */
  readonly targets: BatchTargets;
  /** Names of the samples in error messages. */
  readonly ids: readonly string[];
}

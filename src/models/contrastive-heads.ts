import type { Tensor } from '../engine/graph/index.ts';
import { l2Normalize } from '../engine/ops/index.ts';
import { Linear, type Scope } from '../nn/index.ts';
import { textEncoderConfig, type ModelConfig } from './config.ts';
import type { EncoderCache } from './transformer.ts';

/** Projections of whole images and captions for `contrastive_loss`. */
export class ContrastiveHeads {
  private readonly image: Linear;
  private readonly text: Linear;

  constructor(scope: Scope, config: ModelConfig) {
    const { hidden_dim: features, contrastive_loss_hdim: projection } = config;
    this.image = new Linear(scope.at('contrastive_projection_image'), features, projection, { bias: false });
    this.text = new Linear(scope.at('contrastive_projection_text'), textEncoderConfig(config).hidden_size, projection, {
      bias: false,
    });
  }

  /** Image and text vectors (B, 64) of unit length. */
  forward({ image, text }: NonNullable<EncoderCache['pooled']>): { readonly image: Tensor; readonly text: Tensor } {
    return { image: l2Normalize(this.image.forward(image)), text: l2Normalize(this.text.forward(text)) };
  }
}

import type { Dim, Tensor } from '../engine/graph/index.ts';
import { Conv, GroupNorm, kaimingUniform, Linear, xavierUniform, zeros, type Scope } from '../nn/index.ts';
import {
  add,
  conv,
  gather,
  matmul,
  mul,
  relu,
  reshape,
  resizeNearest,
  slice,
  softmax,
  splitAxis,
  squeeze,
  transpose,
  where,
} from '../engine/ops/index.ts';

/** Attention maps of queries over the image memory: one softmax over space per head, without values. */
class BoxAttention {
  private readonly queryLinear: Linear;
  private readonly keyLinear: Linear;

  constructor(
    scope: Scope,
    private readonly features: number,
    private readonly heads: number,
  ) {
    const options = { init: xavierUniform, biasInit: zeros };
    this.queryLinear = new Linear(scope.at('q_linear'), features, features, options);
    this.keyLinear = new Linear(scope.at('k_linear'), features, features, options);
  }

  /** queries (N, D), maskSamples (N), imageMemory (B, h·w, D), padding (B, h, w) → (N, heads, h, w). */
  forward(queries: Tensor, maskSamples: Tensor, imageMemory: Tensor, padding: Tensor): Tensor {
    const [, height, width] = padding.shape as [Dim, Dim, Dim];
    const count = queries.shape[0]!;
    const depth = this.features / this.heads;
    const q = splitAxis(mul(this.queryLinear.forward(queries), depth ** -0.5), 1, [this.heads, 1, depth]);
    const keys = transpose(splitAxis(this.keyLinear.forward(imageMemory), 2, [this.heads, depth]), [0, 2, 3, 1]);
    const scores = squeeze(matmul(q, gather(keys, maskSamples)), 2); // (N, heads, h·w)
    const isPadding = reshape(gather(padding, maskSamples), [count, 1, imageMemory.shape[1]!]);
    return splitAxis(softmax(where(isPadding, Number.NEGATIVE_INFINITY, scores), -1), 2, [height, width]);
  }
}

/** Convolution, group norm with eight groups (fewer if the channels are not divisible), ReLU. */
class ConvBlock {
  readonly conv: Conv;
  private readonly norm: GroupNorm;

  constructor(convScope: Scope, normScope: Scope, inputs: number, outputs: number) {
    this.conv = new Conv(convScope, inputs, outputs, 3, { padding: 1, init: kaimingUniform(1), biasInit: zeros });
    this.norm = new GroupNorm(
      normScope,
      [8, 4, 2, 1].find((groups) => outputs % groups === 0)!,
      outputs,
    );
  }

  forward(x: Tensor): Tensor {
    return this.activate(this.conv.forward(x));
  }

  activate(x: Tensor): Tensor {
    return relu(this.norm.forward(x));
  }
}

/** Small feature pyramid network that turns attention maps into masks of the size of the finest map. */
class MaskHeadSmallConv {
  private readonly blocks: readonly ConvBlock[];
  private readonly outLayer: Conv;
  private readonly adapters: readonly Conv[];

  constructor(
    scope: Scope,
    private readonly features: number,
    heads: number,
    pyramidChannels: readonly number[],
  ) {
    const inputs = features + heads;
    const widths = [inputs, inputs, features / 2, features / 4, features / 8, features / 16].map(Math.floor);
    this.blocks = [1, 2, 3, 4, 5].map(
      (level) => new ConvBlock(scope.at(`lay${level}`), scope.at(`gn${level}`), widths[level - 1]!, widths[level]!),
    );
    const options = { init: kaimingUniform(1), biasInit: zeros };
    this.outLayer = new Conv(scope.at('out_lay'), widths[5]!, 1, 3, { ...options, padding: 1 });
    this.adapters = pyramidChannels.map(
      (channels, index) => new Conv(scope.at(`adapter${index + 1}`), channels, widths[index + 2]!, 1, options),
    );
  }

  /** src (B, D, h, w), attention (N, heads, h, w), maskImages (N), pyramid of (B, C, h′, w′), coarse to fine → logits (N, h″, w″). */
  forward(src: Tensor, attention: Tensor, maskImages: Tensor, pyramid: readonly Tensor[]): Tensor {
    // The first filter is split in two: its part for the image is computed once for all queries.
    const [first, second, ...finer] = this.blocks as [ConvBlock, ConvBlock, ...ConvBlock[]];
    const { weight, bias } = first.conv;
    const ofImage = conv(src, slice(weight, 1, 0, this.features), { padding: 1 }, bias);
    const ofAttention = conv(attention, slice(weight, 1, this.features, weight.shape[1]!), { padding: 1 });
    let x = second.forward(first.activate(add(ofAttention, gather(ofImage, maskImages))));
    for (const [index, adapter] of this.adapters.entries()) {
      const skip = adapter.forward(pyramid[index]!);
      const larger = resizeNearest(x, skip.shape[2]!, skip.shape[3]!);
      x = finer[index]!.forward(add(gather(skip, maskImages), larger));
    }
    return squeeze(this.outLayer.forward(x), 1);
  }
}

/** `bbox_attention` and `mask_head` of the official segmentation model (section 4.2 of the paper). */
export class Segmentation {
  private readonly attention: BoxAttention;
  private readonly head: MaskHeadSmallConv;

  /** @param pyramidChannels channels of the three maps before the last, coarse to fine */
  constructor(scope: Scope, features: number, heads: number, pyramidChannels: readonly number[]) {
    this.attention = new BoxAttention(scope.at('bbox_attention'), features, heads);
    this.head = new MaskHeadSmallConv(scope.at('mask_head'), features, heads, pyramidChannels);
  }

  /**
   * Mask logits (N, h″, w″) of queries (N, D). The result for a query does not depend on the others, so that many queries
   * can be processed in chunks.
   *
   * @param maskSamples (N) int32, index of every query's caption in the batch
   * @param maskImages (N) int32, index of every query's image in `src` and `pyramid`, if captions share images
   */
  forward(
    queries: Tensor,
    maskSamples: Tensor,
    { imageMemory, src, padding, pyramid }: MaskContext,
    maskImages: Tensor = maskSamples,
  ): Tensor {
    return this.head.forward(
      src,
      this.attention.forward(queries, maskSamples, imageMemory, padding),
      maskImages,
      pyramid,
    );
  }
}

/** Inputs of the segmentation head besides the queries. */
export interface MaskContext {
  /** (B, h·w, D) */
  readonly imageMemory: Tensor;
  /** Projected last feature map before the encoder: (B, D, h, w), or one row per image. */
  readonly src: Tensor;
  /** (B, h, w), true on padding. */
  readonly padding: Tensor;
  /** Feature maps before the last, coarse to fine. */
  readonly pyramid: readonly Tensor[];
}

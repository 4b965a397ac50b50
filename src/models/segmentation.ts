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

/** Attention weights of queries over the image's memory, without values: a softmax a head over space. */
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

  /** queries (N, D), sample (N), imageMemory (B, h·w, D), padding (B, h, w) → (N, heads, h, w). */
  forward(queries: Tensor, sample: Tensor, imageMemory: Tensor, padding: Tensor): Tensor {
    const [, height, width] = padding.shape as [Dim, Dim, Dim];
    const count = queries.shape[0]!;
    const depth = this.features / this.heads;
    const q = splitAxis(mul(this.queryLinear.forward(queries), depth ** -0.5), 1, [this.heads, 1, depth]);
    const keys = transpose(splitAxis(this.keyLinear.forward(imageMemory), 2, [this.heads, depth]), [0, 2, 3, 1]);
    const scores = squeeze(matmul(q, gather(keys, sample)), 2); // (N, heads, h·w)
    const isPadding = reshape(gather(padding, sample), [count, 1, imageMemory.shape[1]!]);
    return splitAxis(softmax(where(isPadding, Number.NEGATIVE_INFINITY, scores), -1), 2, [height, width]);
  }
}

/** Convolution, group norm over eight groups (fewer where they do not divide), ReLU. */
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

/** A small feature pyramid that turns attention maps into masks of a finer map's size. */
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

  /** src (B, D, h, w), attention (N, heads, h, w), sample (N), pyramid (coarse to fine) of (B, C, h′, w′) → (N, h″, w″) logits. */
  forward(src: Tensor, attention: Tensor, sample: Tensor, pyramid: readonly Tensor[]): Tensor {
    // The filter of the first layer is cut in two: what it makes of the image is the same for every query.
    const [first, second, ...finer] = this.blocks as [ConvBlock, ConvBlock, ...ConvBlock[]];
    const { weight, bias } = first.conv;
    const ofImage = conv(src, slice(weight, 1, 0, this.features), { padding: 1 }, bias);
    const ofAttention = conv(attention, slice(weight, 1, this.features, weight.shape[1]!), { padding: 1 });
    let x = second.forward(first.activate(add(ofAttention, gather(ofImage, sample))));
    for (const [index, adapter] of this.adapters.entries()) {
      const skip = adapter.forward(pyramid[index]!);
      const larger = resizeNearest(x, skip.shape[2]!, skip.shape[3]!);
      x = finer[index]!.forward(add(gather(skip, sample), larger));
    }
    return squeeze(this.outLayer.forward(x), 1);
  }
}

/** `bbox_attention` and `mask_head` of the official segmentation model (section 4.2 of the paper). */
export class Segmentation {
  private readonly attention: BoxAttention;
  private readonly head: MaskHeadSmallConv;

  /** pyramidChannels: of the three maps before the last, coarse to fine. */
  constructor(scope: Scope, features: number, heads: number, pyramidChannels: readonly number[]) {
    this.attention = new BoxAttention(scope.at('bbox_attention'), features, heads);
    this.head = new MaskHeadSmallConv(scope.at('mask_head'), features, heads, pyramidChannels);
  }

  /**
   * Mask logits of any queries: queries (N, D), and the sample of the batch that each belongs to, (N) int32;
   * the rest as the encoder left it → (N, h″, w″). Callers may go through many queries in portions.
   *
   * @param image where several texts share a picture, the row of `src` and `pyramid` that each query looks at, (N) int32
   */
  forward(
    queries: Tensor,
    sample: Tensor,
    { imageMemory, src, padding, pyramid }: MaskContext,
    image: Tensor = sample,
  ): Tensor {
    return this.head.forward(src, this.attention.forward(queries, sample, imageMemory, padding), image, pyramid);
  }
}

/** What masks are made from beside the queries. */
export interface MaskContext {
  /** (B, h·w, D) */
  readonly imageMemory: Tensor;
  /** (B or pictures, D, h, w): the projected last map, before the encoder. */
  readonly src: Tensor;
  /** (B, h, w), true on padding. */
  readonly padding: Tensor;
  /** The maps before the last, coarse to fine. */
  readonly pyramid: readonly Tensor[];
}

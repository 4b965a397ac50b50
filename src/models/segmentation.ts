import type { Dim, Tensor } from '../graph/index.ts';
import { Conv, GroupNorm, kaimingUniform, Linear, xavierUniform, zeros, type Scope } from '../nn/index.ts';
import {
  add,
  conv,
  matmul,
  mergeAxes,
  mul,
  relu,
  reshape,
  resizeNearest,
  slice,
  softmax,
  splitAxis,
  transpose,
  unsqueeze,
  where,
} from '../ops/index.ts';

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

  /** hs (B, Q, D), imageMemory (B, h·w, D), padding (B, h, w) → (B, Q, heads, h, w). */
  forward(hs: Tensor, imageMemory: Tensor, padding: Tensor): Tensor {
    const [batch, height, width] = padding.shape as [Dim, Dim, Dim];
    const depth = this.features / this.heads;
    const q = transpose(
      splitAxis(mul(this.queryLinear.forward(hs), depth ** -0.5), 2, [this.heads, depth]),
      [0, 2, 1, 3],
    );
    const k = transpose(splitAxis(this.keyLinear.forward(imageMemory), 2, [this.heads, depth]), [0, 2, 3, 1]);
    const scores = matmul(q, k); // (B, heads, Q, h·w)
    const isPadding = reshape(padding, [batch, 1, 1, imageMemory.shape[1]!]);
    const weights = softmax(where(isPadding, Number.NEGATIVE_INFINITY, scores), -1);
    return transpose(splitAxis(weights, 3, [height, width]), [0, 2, 1, 3, 4]);
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

  /** src (B, D, h, w), attention (B, Q, heads, h, w), pyramid (coarse to fine) of (B, C, h′, w′) → (B, Q, h″, w″) logits. */
  forward(src: Tensor, attention: Tensor, pyramid: readonly Tensor[]): Tensor {
    const [batch, queries] = attention.shape as [Dim, Dim];
    const perQuery = (x: Tensor): Tensor => splitAxis(x, 0, [batch, queries]);
    const flat = (x: Tensor): Tensor => mergeAxes(x, 0, 1);

    // The filter of the first layer is cut in two: what it makes of the image is the same for every query.
    const [first, second, ...finer] = this.blocks as [ConvBlock, ConvBlock, ...ConvBlock[]];
    const { weight, bias } = first.conv;
    const ofImage = conv(src, slice(weight, 1, 0, this.features), { padding: 1 }, bias);
    const ofAttention = conv(flat(attention), slice(weight, 1, this.features, weight.shape[1]!), { padding: 1 });
    let x = second.forward(first.activate(flat(add(perQuery(ofAttention), unsqueeze(ofImage, 1)))));
    for (const [index, adapter] of this.adapters.entries()) {
      const skip = adapter.forward(pyramid[index]!);
      const larger = resizeNearest(x, skip.shape[2]!, skip.shape[3]!);
      x = finer[index]!.forward(flat(add(unsqueeze(skip, 1), perQuery(larger))));
    }
    const logits = this.outLayer.forward(x); // (B·Q, 1, h″, w″)
    return reshape(logits, [batch, queries, logits.shape[2]!, logits.shape[3]!]);
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

  /** hs (B, Q, D): any number of queries, so that callers may go through many in portions. */
  forward(hs: Tensor, imageMemory: Tensor, src: Tensor, padding: Tensor, pyramid: readonly Tensor[]): Tensor {
    return this.head.forward(src, this.attention.forward(hs, imageMemory, padding), pyramid);
  }
}

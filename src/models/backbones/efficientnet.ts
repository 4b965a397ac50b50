import type { Tensor } from '../../engine/graph/index.ts';
import { Conv, FrozenBatchNorm, kaimingNormalFanOut, zeros, type Scope } from '../../nn/index.ts';
import { add, conv, mean, mul, padSame, sigmoid, silu, type ConvOptions } from '../../engine/ops/index.ts';
import type { Backbone, BackboneFamily } from './backbone.ts';

/** Width and depth factors of the eight variants (arXiv:1905.11946; docs/efficientnet.md has the details). */
const SCALING: Readonly<Record<string, readonly [width: number, depth: number]>> = {
  b0: [1, 1],
  b1: [1, 1.1],
  b2: [1.1, 1.2],
  b3: [1.2, 1.4],
  b4: [1.4, 1.8],
  b5: [1.6, 2.2],
  b6: [1.8, 2.6],
  b7: [2, 3.1],
};

/** A stage of inverted residual blocks; `tapped` stages are feature maps of the backbone. */
interface Stage {
  readonly kernel: number;
  readonly stride: number;
  readonly channels: number;
  readonly repeats: number;
  readonly tapped: boolean;
}

const STAGES: readonly Stage[] = [
  { kernel: 3, stride: 1, channels: 16, repeats: 1, tapped: false },
  { kernel: 3, stride: 2, channels: 24, repeats: 2, tapped: true },
  { kernel: 5, stride: 2, channels: 40, repeats: 2, tapped: true },
  { kernel: 3, stride: 2, channels: 80, repeats: 3, tapped: false },
  { kernel: 5, stride: 1, channels: 112, repeats: 3, tapped: true },
  { kernel: 5, stride: 2, channels: 192, repeats: 4, tapped: false },
  { kernel: 3, stride: 1, channels: 320, repeats: 1, tapped: true },
];

/** Rounds to the nearest multiple of 8, or to the next one where that would lose more than 10 %. */
const roundChannels = (channels: number): number => {
  const rounded = Math.max(8, Math.floor((channels + 4) / 8) * 8);
  return rounded < 0.9 * channels ? rounded + 8 : rounded;
};

/** Convolution without bias and with TensorFlow's "same" padding, followed by frozen batch norm. */
class ConvNorm {
  private readonly filter: Conv;
  private readonly norm: FrozenBatchNorm;
  private readonly options: ConvOptions;

  constructor(
    convScope: Scope,
    normScope: Scope,
    inputs: number,
    outputs: number,
    private readonly kernel: number,
    private readonly stride = 1,
    groups = 1,
  ) {
    this.options = stride === 1 ? { padding: (kernel - 1) / 2, groups } : { stride, groups };
    this.filter = new Conv(convScope, inputs, outputs, kernel, {
      ...this.options,
      bias: false,
      init: kaimingNormalFanOut,
    });
    this.norm = new FrozenBatchNorm(normScope, outputs);
  }

  forward(x: Tensor): Tensor {
    const { filter, bias } = this.norm.fold(this.filter.weight);
    return conv(this.stride === 1 ? x : padSame(x, this.kernel, this.stride), filter, this.options, bias);
  }
}

/** Squeeze-and-excitation (arXiv:1709.01507): a gate per channel, computed from the channel means of the image. */
class SqueezeExcite {
  private readonly reduce: Conv;
  private readonly expand: Conv;

  constructor(scope: Scope, channels: number, reduced: number) {
    this.reduce = new Conv(scope.at('conv_reduce'), channels, reduced, 1, {
      init: kaimingNormalFanOut,
      biasInit: zeros,
    });
    this.expand = new Conv(scope.at('conv_expand'), reduced, channels, 1, {
      init: kaimingNormalFanOut,
      biasInit: zeros,
    });
  }

  forward(x: Tensor): Tensor {
    const squeezed = mean(x, [2, 3], { keepDims: true });
    return mul(x, sigmoid(this.expand.forward(silu(this.reduce.forward(squeezed)))));
  }
}

/** Inverted residual block: 1×1 expansion (none in the first stage), depthwise convolution, gate, 1×1 projection. */
class Block {
  private readonly expansion: ConvNorm | undefined;
  private readonly depthwise: ConvNorm;
  private readonly gate: SqueezeExcite;
  private readonly projection: ConvNorm;
  private readonly hasShortcut: boolean;

  constructor(scope: Scope, inputs: number, outputs: number, kernel: number, stride: number, expands: boolean) {
    const wide = expands ? 6 * inputs : inputs;
    const [depthNorm, lastNorm] = expands ? ['bn2', 'bn3'] : ['bn1', 'bn2'];
    this.expansion = expands ? new ConvNorm(scope.at('conv_pw'), scope.at('bn1'), inputs, wide, 1) : undefined;
    this.depthwise = new ConvNorm(scope.at('conv_dw'), scope.at(depthNorm), wide, wide, kernel, stride, wide);
    this.gate = new SqueezeExcite(scope.at('se'), wide, inputs / 4);
    this.projection = new ConvNorm(scope.at(expands ? 'conv_pwl' : 'conv_pw'), scope.at(lastNorm), wide, outputs, 1);
    this.hasShortcut = stride === 1 && inputs === outputs;
  }

  forward(x: Tensor): Tensor {
    const wide = this.expansion === undefined ? x : silu(this.expansion.forward(x));
    const projected = this.projection.forward(this.gate.forward(silu(this.depthwise.forward(wide))));
    return this.hasShortcut ? add(projected, x) : projected;
  }
}

/** timm's `tf_efficientnet_b0_ns` … `b7_ns` in `features_only` form, with frozen batch norm (ε = 1e-5). */
class EfficientNet implements Backbone {
  readonly channels: readonly number[];
  private readonly stem: ConvNorm;
  private readonly stages: readonly { readonly blocks: readonly Block[]; readonly tapped: boolean }[];

  constructor(scope: Scope, variant: string) {
    const [width, depth] = SCALING[variant]!;
    let inputs = roundChannels(32 * width);
    this.stem = new ConvNorm(scope.at('conv_stem'), scope.at('bn1'), 3, inputs, 3, 2);
    this.stages = STAGES.map(({ kernel, stride, channels, repeats, tapped }, stage) => {
      const outputs = roundChannels(channels * width);
      const blocks = Array.from({ length: Math.ceil(repeats * depth) }, (_, index) => {
        const block = new Block(
          scope.at('blocks').at(stage).at(index),
          inputs,
          outputs,
          kernel,
          index === 0 ? stride : 1,
          stage > 0,
        );
        inputs = outputs;
        return block;
      });
      return { blocks, tapped };
    });
    this.channels = STAGES.filter(({ tapped }) => tapped).map(({ channels }) => roundChannels(channels * width));
  }

  forward(image: Tensor): readonly Tensor[] {
    let x = silu(this.stem.forward(image));
    const taps: Tensor[] = [];
    for (const { blocks, tapped } of this.stages) {
      x = blocks.reduce((value, block) => block.forward(value), x);
      if (tapped) taps.push(x);
    }
    return taps;
  }

  /** The official training freezes only the statistics of batch norm. */
  isTrainable(): boolean {
    return true;
  }
}

const variantOf = (backbone: string): string | undefined =>
  /^(?:timm_)?tf_efficientnet_(b[0-7])(?:_ns)?$/.exec(backbone)?.[1];

/** `timm_tf_efficientnet_b0_ns` … `b7_ns`, the prefix and the suffix optional. */
export const efficientNetFamily: BackboneFamily = {
  choices: 'timm_tf_efficientnet_b0_ns … b7_ns',
  matches: ({ backbone }) => variantOf(backbone) !== undefined,
  build: (scope, { backbone }) => new EfficientNet(scope, variantOf(backbone)!),
};

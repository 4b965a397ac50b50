import type { Tensor } from '../../engine/graph/index.ts';
import { Conv, FrozenBatchNorm, kaimingNormalFanOut, zeros, type Scope } from '../../nn/index.ts';
import { add, conv, mean, mul, padSame, sigmoid, silu, type ConvOptions } from '../../engine/ops/index.ts';
import type { FeatureExtractor } from './feature-extractor.ts';

/** Width and depth factors of the eight variants. arXiv:1905.11946, and docs/efficientnet.md for everything below. */
const scaling: Readonly<Record<string, readonly [width: number, depth: number]>> = {
  b0: [1, 1],
  b1: [1, 1.1],
  b2: [1.1, 1.2],
  b3: [1.2, 1.4],
  b4: [1.4, 1.8],
  b5: [1.6, 2.2],
  b6: [1.8, 2.6],
  b7: [2, 3.1],
};

export const efficientNetVariants: readonly string[] = Object.keys(scaling);

interface Stage {
  readonly kernel: number;
  readonly stride: number;
  readonly channels: number;
  readonly repeats: number;
  readonly tapped: boolean;
}

const stages: readonly Stage[] = [
  { kernel: 3, stride: 1, channels: 16, repeats: 1, tapped: false },
  { kernel: 3, stride: 2, channels: 24, repeats: 2, tapped: true },
  { kernel: 5, stride: 2, channels: 40, repeats: 2, tapped: true },
  { kernel: 3, stride: 2, channels: 80, repeats: 3, tapped: false },
  { kernel: 5, stride: 1, channels: 112, repeats: 3, tapped: true },
  { kernel: 5, stride: 2, channels: 192, repeats: 4, tapped: false },
  { kernel: 3, stride: 1, channels: 320, repeats: 1, tapped: true },
];

/** To the nearest multiple of 8, but never more than a tenth below. */
const roundChannels = (channels: number): number => {
  const rounded = Math.max(8, Math.floor((channels + 4) / 8) * 8);
  return rounded < 0.9 * channels ? rounded + 8 : rounded;
};

/** A convolution without bias under TensorFlow's "same" padding, with the frozen batch norm behind it. */
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

/** A gate for every channel, from the mean over the picture. arXiv:1709.01507 */
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

/** A depth-wise convolution with its gate between two 1×1 ones; the first is missing in the first stage. */
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

/** timm's `tf_efficientnet_b0_ns` … `b7_ns` in `features_only` form, batch norm frozen with ε = 1e-5. */
export class EfficientNet implements FeatureExtractor {
  readonly channels: readonly number[];
  private readonly stem: ConvNorm;
  private readonly stages: readonly { readonly blocks: readonly Block[]; readonly tapped: boolean }[];

  constructor(scope: Scope, variant: string) {
    const [width, depth] = scaling[variant]!;
    let inputs = roundChannels(32 * width);
    this.stem = new ConvNorm(scope.at('conv_stem'), scope.at('bn1'), 3, inputs, 3, 2);
    this.stages = stages.map(({ kernel, stride, channels, repeats, tapped }, stage) => {
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
    this.channels = stages.filter(({ tapped }) => tapped).map(({ channels }) => roundChannels(channels * width));
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

  /** The official code freezes nothing here but the statistics. */
  isTrainable(): boolean {
    return true;
  }
}

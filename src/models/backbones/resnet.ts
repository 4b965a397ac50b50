import type { Tensor } from '../../engine/graph/index.ts';
import { MdetrError } from '../../errors.ts';
import { Conv, FrozenBatchNorm, GroupNorm, kaimingNormalFanOut, type Scope } from '../../nn/index.ts';
import { add, conv, maxPool, relu, type ConvOptions } from '../../engine/ops/index.ts';
import type { Backbone, BackboneFamily } from './backbone.ts';

type NormKind = 'frozen-batch' | 'group';

/** Convolution without bias, followed by a norm. */
class ConvNorm {
  private readonly filter: Conv;
  private readonly norm: FrozenBatchNorm | GroupNorm;

  constructor(
    convScope: Scope,
    normScope: Scope,
    inputs: number,
    outputs: number,
    kernel: number,
    private readonly options: ConvOptions,
    kind: NormKind,
  ) {
    this.filter = new Conv(convScope, inputs, outputs, kernel, { ...options, bias: false, init: kaimingNormalFanOut });
    this.norm = kind === 'group' ? new GroupNorm(normScope, 32, outputs) : new FrozenBatchNorm(normScope, outputs);
  }

  forward(x: Tensor): Tensor {
    if (this.norm instanceof GroupNorm) return this.norm.forward(this.filter.forward(x));
    const { filter, bias } = this.norm.fold(this.filter.weight);
    return conv(x, filter, this.options, bias);
  }
}

interface BlockShape {
  readonly inputs: number;
  readonly width: number;
  readonly stride: number;
  readonly dilation: number;
  readonly hasDownsample: boolean;
}

/**
 * Residual block (arXiv:1512.03385): two 3×3 convolutions in ResNet-18 and -34, else a bottleneck of 1×1, 3×3 and 1×1
 * convolutions with the stride in the middle one.
 */
class ResidualBlock {
  private readonly convs: readonly ConvNorm[];
  private readonly downsample: ConvNorm | undefined;

  constructor(
    scope: Scope,
    bottleneck: boolean,
    { inputs, width, stride, dilation, hasDownsample }: BlockShape,
    norm: NormKind,
  ) {
    const outputs = bottleneck ? width * 4 : width;
    const layers: readonly (readonly [number, number, number, ConvOptions])[] = bottleneck
      ? [
          [inputs, width, 1, {}],
          [width, width, 3, { stride, padding: dilation, dilation }],
          [width, outputs, 1, {}],
        ]
      : [
          [inputs, width, 3, { stride, padding: 1 }],
          [width, width, 3, { padding: 1 }],
        ];
    this.convs = layers.map(
      ([from, to, kernel, options], index) =>
        new ConvNorm(scope.at(`conv${index + 1}`), scope.at(`bn${index + 1}`), from, to, kernel, options, norm),
    );
    const shortcut = scope.at('downsample');
    this.downsample = hasDownsample
      ? new ConvNorm(shortcut.at(0), shortcut.at(1), inputs, outputs, 1, { stride }, norm)
      : undefined;
  }

  forward(x: Tensor): Tensor {
    const last = this.convs.length - 1;
    const residual = this.convs.reduce(
      (value, layer, index) => (index < last ? relu(layer.forward(value)) : layer.forward(value)),
      x,
    );
    return relu(add(residual, this.downsample?.forward(x) ?? x));
  }
}

interface Variant {
  /** Number of blocks in each of the four stages. */
  readonly blocks: readonly number[];
  readonly bottleneck: boolean;
  /** Channels of the stem and the first stage; every further stage doubles them. */
  readonly width: number;
}

const VARIANTS: Readonly<Record<string, Variant>> = {
  // Not in the paper: for small networks; `bench:training` measures it.
  'resnet18-half': { blocks: [2, 2, 2, 2], bottleneck: false, width: 32 },
  resnet18: { blocks: [2, 2, 2, 2], bottleneck: false, width: 64 },
  resnet34: { blocks: [3, 4, 6, 3], bottleneck: false, width: 64 },
  resnet50: { blocks: [3, 4, 6, 3], bottleneck: true, width: 64 },
  resnet101: { blocks: [3, 4, 23, 3], bottleneck: true, width: 64 },
};

/** torchvision's ResNet without its classifier. `dilation` replaces the last stage's stride by dilation (DC5). */
class ResNet implements Backbone {
  readonly channels: readonly number[];
  private readonly stem: ConvNorm;
  private readonly stages: readonly (readonly ResidualBlock[])[];

  constructor(scope: Scope, name: string, options: { readonly dilation: boolean; readonly norm: NormKind }) {
    const { blocks, bottleneck, width: stem } = VARIANTS[name]!;
    const expansion = bottleneck ? 4 : 1;
    this.channels = [1, 2, 4, 8].map((factor) => stem * factor * expansion);
    this.stem = new ConvNorm(scope.at('conv1'), scope.at('bn1'), 3, stem, 7, { stride: 2, padding: 3 }, options.norm);
    let inputs = stem;
    this.stages = blocks.map((depth, stage) => {
      const width = stem * 2 ** stage;
      const dilated = options.dilation && stage === 3;
      const stageStride = stage === 0 || dilated ? 1 : 2;
      return Array.from({ length: depth }, (_, index) => {
        const first = index === 0;
        const shape: BlockShape = {
          inputs,
          width,
          stride: first ? stageStride : 1,
          // As in torchvision, the first block of the dilated stage has the dilation of the stage before.
          dilation: dilated && !first ? 2 : 1,
          hasDownsample: first && (stageStride !== 1 || inputs !== width * expansion || dilated),
        };
        inputs = width * expansion;
        return new ResidualBlock(scope.at(`layer${stage + 1}`).at(index), bottleneck, shape, options.norm);
      });
    });
  }

  forward(image: Tensor): readonly Tensor[] {
    let x = maxPool(relu(this.stem.forward(image)), 3, { stride: 2, padding: 1 });
    return this.stages.map((blocks) => (x = blocks.reduce((value, block) => block.forward(value), x)));
  }

  /** The official training updates the last three stages and keeps the stem and the first stage frozen. */
  isTrainable(name: string): boolean {
    return /layer[234]/.test(name);
  }
}

const GROUP_NORM_SUFFIX = '-gn';

/** Name of the variant in torchvision, without the suffix that selects group norm. */
const variantName = (backbone: string): string =>
  backbone.endsWith(GROUP_NORM_SUFFIX) ? backbone.slice(0, -GROUP_NORM_SUFFIX.length) : backbone;

/** `resnet18` … `resnet101`; the suffix `-gn` selects group norm instead of frozen batch norm. */
export const resnetFamily: BackboneFamily = {
  choices: `${Object.keys(VARIANTS).join(', ')} (with ${GROUP_NORM_SUFFIX} for group norm)`,
  matches: ({ backbone }) => Object.hasOwn(VARIANTS, variantName(backbone)),
  build: (scope, { backbone, dilation }) => {
    const name = variantName(backbone);
    if (dilation && !VARIANTS[name]!.bottleneck)
      throw new MdetrError(`dilation needs a ResNet with bottlenecks, ${backbone} has none`);
    return new ResNet(scope, name, { dilation, norm: name === backbone ? 'frozen-batch' : 'group' });
  },
};

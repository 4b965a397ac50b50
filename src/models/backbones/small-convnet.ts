import type { Tensor } from '../../engine/graph/index.ts';
import { Conv, GroupNorm, kaimingNormalFanOut, type Scope } from '../../nn/index.ts';
import { add, relu } from '../../engine/ops/index.ts';
import type { Backbone, BackboneFamily } from './backbone.ts';
import type { SmallBackboneConfig } from '../config.ts';

/** Residual block of stride 2: two 3×3 convolutions with group norm, and a 1×1 convolution as the shortcut. */
class DownsamplingBlock {
  private readonly conv1: Conv;
  private readonly norm1: GroupNorm;
  private readonly conv2: Conv;
  private readonly norm2: GroupNorm;
  private readonly shortcut: Conv;

  constructor(scope: Scope, inputs: number, outputs: number, groups: number) {
    const options = { bias: false, init: kaimingNormalFanOut } as const;
    this.conv1 = new Conv(scope.at('conv1'), inputs, outputs, 3, { ...options, stride: 2, padding: 1 });
    this.norm1 = new GroupNorm(scope.at('norm1'), groups, outputs);
    this.conv2 = new Conv(scope.at('conv2'), outputs, outputs, 3, { ...options, padding: 1 });
    this.norm2 = new GroupNorm(scope.at('norm2'), groups, outputs);
    this.shortcut = new Conv(scope.at('shortcut'), inputs, outputs, 1, { ...options, stride: 2 });
  }

  forward(x: Tensor): Tensor {
    const hidden = relu(this.norm1.forward(this.conv1.forward(x)));
    return relu(add(this.norm2.forward(this.conv2.forward(hidden)), this.shortcut.forward(x)));
  }
}

/** Small network for small images, trained from scratch. The first map has stride 2; each further width halves it. */
class SmallConvNet implements Backbone {
  readonly channels: readonly number[];
  private readonly stem: Conv;
  private readonly stemNorm: GroupNorm;
  private readonly blocks: readonly DownsamplingBlock[];

  constructor(scope: Scope, { widths, groups }: SmallBackboneConfig) {
    this.channels = widths;
    this.stem = new Conv(scope.at('stem'), 3, widths[0]!, 3, {
      stride: 2,
      padding: 1,
      bias: false,
      init: kaimingNormalFanOut,
    });
    this.stemNorm = new GroupNorm(scope.at('stem_norm'), groups, widths[0]!);
    this.blocks = widths
      .slice(1)
      .map((width, index) => new DownsamplingBlock(scope.at('blocks').at(index), widths[index]!, width, groups));
  }

  forward(image: Tensor): readonly Tensor[] {
    let x = relu(this.stemNorm.forward(this.stem.forward(image)));
    return [x, ...this.blocks.map((block) => (x = block.forward(x)))];
  }

  isTrainable(): boolean {
    return true;
  }
}

/** Selected by `small_backbone`, which overrides `backbone`. */
export const smallConvNetFamily: BackboneFamily = {
  choices: undefined,
  matches: ({ small_backbone }) => small_backbone !== undefined,
  build: (scope, { small_backbone }) => new SmallConvNet(scope, small_backbone!),
};

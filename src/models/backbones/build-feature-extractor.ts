import { MdetrError } from '../../errors.ts';
import type { Tensor } from '../../engine/graph/index.ts';
import type { Scope } from '../../nn/index.ts';
import type { ModelConfig } from '../config.ts';
import { EfficientNet, efficientNetVariants } from './efficientnet.ts';
import { LearnedPositionEncoding, SinePositionEncoding, type PositionEncoding } from '../position-encoding.ts';
import { ResNet, resnetNames } from './resnet.ts';
import { SmallConvNet } from './small-convnet.ts';

/** A convolutional network that yields feature maps of falling resolution. */
export interface FeatureExtractor {
  /** Channels of each map that `forward` returns. */
  readonly channels: readonly number[];
  /** image (B, 3, H, W), normalised → maps (B, channels, h, w), finest first. */
  forward(image: Tensor): readonly Tensor[];
  /** Whether the official training changes the parameter of this name. */
  isTrainable(name: string): boolean;
}

const groupNormSuffix = '-gn';

/** Builds the feature extractor that a config names, at `backbone.0.body`. */
export const buildFeatureExtractor = (scope: Scope, config: ModelConfig): FeatureExtractor => {
  const { backbone: name, dilation } = config;
  if (config.small_backbone !== undefined) return new SmallConvNet(scope, config.small_backbone);
  const hasGroupNorm = name.endsWith(groupNormSuffix);
  const resnet = hasGroupNorm ? name.slice(0, -groupNormSuffix.length) : name;
  if (resnetNames.includes(resnet)) {
    if (dilation && (resnet.startsWith('resnet18') || resnet === 'resnet34'))
      throw new MdetrError(`dilation needs a ResNet with bottlenecks, ${name} has none`);
    return new ResNet(scope, resnet, { dilation, norm: hasGroupNorm ? 'group' : 'frozen-batch' });
  }
  const variant = /^(?:timm_)?tf_efficientnet_(b\d)(?:_ns)?$/.exec(name)?.[1];
  if (variant !== undefined && efficientNetVariants.includes(variant)) return new EfficientNet(scope, variant);
  throw new MdetrError(
    `backbone "${name}" is unknown: use one of ${resnetNames.join(', ')} (with -gn for group norm), timm_tf_efficientnet_b0_ns … b7_ns`,
  );
};

export const buildPositionEncoding = (scope: Scope, config: ModelConfig): PositionEncoding =>
  config.position_embedding === 'sine' || config.position_embedding === 'v2'
    ? new SinePositionEncoding(config.hidden_dim, config.position_temperature)
    : new LearnedPositionEncoding(scope, config.hidden_dim);

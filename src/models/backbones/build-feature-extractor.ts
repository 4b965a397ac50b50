import { MdetrError } from '../../errors.ts';
import type { Scope } from '../../nn/index.ts';
import type { FeatureExtractor } from './feature-extractor.ts';
import type { ModelConfig } from '../config.ts';
import { EfficientNet, efficientNetVariants } from './efficientnet.ts';
import { ResNet, resnetNames } from './resnet.ts';
import { SmallConvNet } from './small-convnet.ts';

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

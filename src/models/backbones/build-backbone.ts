import { MdetrError, quoted } from '../../errors.ts';
import type { Scope } from '../../nn/index.ts';
import type { ModelConfig } from '../config.ts';
import type { Backbone, BackboneFamily } from './backbone.ts';
import { efficientNetFamily } from './efficientnet.ts';
import { nanodetFamily } from './nanodet.ts';
import { resnetFamily } from './resnet.ts';
import { smallConvNetFamily } from './small-convnet.ts';

/** Every backbone family; the first that matches a config builds its backbone. */
const BACKBONE_FAMILIES: readonly BackboneFamily[] = [
  smallConvNetFamily,
  resnetFamily,
  efficientNetFamily,
  nanodetFamily,
];

/**
 * Builds the backbone that a config names, at `backbone.0.body`.
 *
 * @throws {MdetrError} for a name that no family knows, and for options that the backbone does not support
 */
export const buildBackbone = (scope: Scope, config: ModelConfig): Backbone => {
  const family = BACKBONE_FAMILIES.find((candidate) => candidate.matches(config));
  if (family === undefined) {
    const choices = BACKBONE_FAMILIES.flatMap((candidate) => candidate.choices ?? []).join(', ');
    throw new MdetrError(`backbone ${quoted(config.backbone)} is unknown: use one of ${choices}`);
  }
  return family.build(scope, config);
};

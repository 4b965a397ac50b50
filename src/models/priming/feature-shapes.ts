import { scaleDim, type Dim, type Shape } from '../../engine/graph/index.ts';
import { MdetrError } from '../../errors.ts';
import { COCO_NOUNS, CONCEPTS } from '../../text/lexicon/concepts.ts';
import type { MdetrNetwork } from '../mdetr-network.ts';
import type { ImageEvidence } from './evidence.ts';

/** Outputs of a detecting backbone that training reads when they were computed once, by name. */
export const PRECOMPUTED = ['map', 'colors', 'proposal_scores', 'proposal_boxes', 'proposal_features'] as const;
/** Name of a precomputed output. */
export type PrecomputedName = (typeof PRECOMPUTED)[number];

/** Blocks of mean colors along a side of a position of the last map: 8 of 32 pixels. */
const BLOCKS_PER_POSITION = 4;

/**
 * Shapes of the precomputed features of images whose last map has height × width positions.
 *
 * @throws {MdetrError} for a backbone that is no detector
 */
export const precomputedShapes = (
  model: MdetrNetwork,
  images: Dim,
  [height, width]: readonly [Dim, Dim],
): Readonly<Record<PrecomputedName, Shape>> => {
  const { count, channels } = requireProposals(model);
  return {
    map: [images, model.backboneChannels, height, width],
    colors: [images, 3, scaleDim(height, BLOCKS_PER_POSITION), scaleDim(width, BLOCKS_PER_POSITION)],
    proposal_scores: [images, count, COCO_NOUNS.length],
    proposal_boxes: [images, count, 4],
    proposal_features: [images, count, channels],
  };
};

/** Shapes of the evidence of images whose last map has a number of positions; undefined unless words are primed. */
export const evidenceShapes = (
  model: MdetrNetwork,
  images: Dim,
  positions: Dim,
): Readonly<Record<keyof ImageEvidence, Shape>> | undefined => {
  if (model.config.query_selection !== 'proposals') return undefined;
  const { count, channels } = requireProposals(model);
  return {
    boxes: [images, count, 4],
    features: [images, count, channels],
    absolute: [images, count, CONCEPTS.length],
    relative: [images, count, CONCEPTS.length],
    positions: [images, positions, CONCEPTS.length],
  };
};

const requireProposals = ({ proposals, config }: MdetrNetwork): NonNullable<MdetrNetwork['proposals']> => {
  if (proposals === undefined)
    throw new MdetrError(
      `features are computed once for a backbone that is a detector, such as "nanodet"; "${config.backbone}" is none`,
    );
  return proposals;
};

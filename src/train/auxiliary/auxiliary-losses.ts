import type { HostTensor } from '../../engine/graph/index.ts';
import type { Encoding } from '../../text/index.ts';
import { answersLoss } from './answer-loss.ts';
import { gridOf, type AuxiliaryImage } from './auxiliary-batch.ts';
import type { AuxiliaryLoss } from './auxiliary-loss.ts';
import { backboneLoss } from './backbone-loss.ts';
import { centerInputs } from './cell-targets.ts';
import { encoderLoss } from './encoder-loss.ts';
import { objectsLoss } from './object-loss.ts';
import { relationsLoss } from './relation-loss.ts';
import { wordsLoss } from './word-loss.ts';
import type { AuxiliaryConfig, OptimizerSettings } from '../config/run-settings.ts';
import type { ModelConfig } from '../../models/index.ts';

/** All auxiliary losses, in the order of their parameters. */
const AUXILIARY_LOSSES: readonly AuxiliaryLoss[] = [
  encoderLoss,
  backboneLoss,
  answersLoss,
  objectsLoss,
  wordsLoss,
  relationsLoss,
];

/** The auxiliary losses that a config trains. When it trains the backbone alone, only losses on images remain. */
export const activeAuxiliaryLosses = (
  config: AuxiliaryConfig & Pick<OptimizerSettings, 'objective'>,
): readonly AuxiliaryLoss[] =>
  AUXILIARY_LOSSES.filter((loss) => loss.weight(config) > 0 && (config.objective === 'all' || loss.level === 'image'));

/**
 * Inputs of the auxiliary losses for a batch, by name; none when the config trains no auxiliary loss. I images, B captions,
 * maps of h × w positions with 2 × 2 cells each:
 *
 * - `auxiliary_centers` (I, h, w, 4, 2): center of every cell, relative to its image;
 * - `auxiliary_mentioned` (B, h, w, 4): the box that each cell shows, an index into the boxes of the batch;
 * - `auxiliary_cells` (I, h, w, 4): the object that each cell shows, an index into `auxiliary_object_boxes` (M, 4) and
 *   `auxiliary_attributes` (M, attributes);
 * - `auxiliary_steps` (B, 2): see answer-steps.ts;
 * - `auxiliary_answer_positions` (B, h·w): 1 where a position shows an object that the question is about;
 * - `auxiliary_slot_positions` (B, 2, h·w): the same for each slot (answer-slots.ts);
 * - `auxiliary_slot_kinds` (B, 2), `auxiliary_slot_members` (B, 2, O), `auxiliary_slot_boxes` (B, 2 · O, 4): kind and members of
 *   each slot, and their boxes in cxcywh format;
 * - `auxiliary_positions` (I, attributes, h·w): attributes of the object that each position shows;
 * - `auxiliary_words` (B, attributes, T): attributes that each token names;
 * - `auxiliary_landmarks`, `auxiliary_compared` (B, kinds, h·w): 1 where a position shows an object that the caption
 *   compares others with, or that it compares;
 * - `auxiliary_related` (I, kinds, h·w, h·w): 1 where the object of the first position is on that side of the second's, or has
 *   its value: see comparisons.ts.
 */
export const auxiliaryInputs = (
  images: readonly AuxiliaryImage[],
  padded: { readonly height: number; readonly width: number },
  config: AuxiliaryConfig & OptimizerSettings & ModelConfig,
  { encodings, T: tokens }: { readonly encodings: readonly Encoding[]; readonly T: number },
): Record<string, HostTensor> => {
  const losses = activeAuxiliaryLosses(config);
  if (losses.length === 0) return {};
  const batch = { images, grid: gridOf(padded, backboneHalvings(config)), encodings, tokens };
  return {
    ...centerInputs(batch),
    ...Object.fromEntries(losses.flatMap((loss) => Object.entries(loss.inputs(batch)))),
  };
};

/** Number of times that the backbone halves an image before its last map. */
const backboneHalvings = ({ small_backbone, dilation }: ModelConfig): number =>
  small_backbone?.widths.length ?? (dilation ? 4 : 5);

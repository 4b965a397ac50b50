import { hasDetectionLosses, lossLayerCount, type LossConfig } from './config.ts';
import type { Loss } from './loss.ts';
import { answersLoss } from './terms/answers.ts';
import { boxesLoss } from './terms/boxes.ts';
import { cardinalityLoss } from './terms/cardinality.ts';
import { contrastiveAlignLoss } from './terms/contrastive-align.ts';
import { imageTextContrastiveLoss } from './terms/image-text-contrastive.ts';
import { isfinalLoss } from './terms/isfinal.ts';
import { labelsLoss } from './terms/labels.ts';
import { masksLoss } from './terms/masks.ts';

/** All losses. The order decides the order in which terms are added up, and so the last bits of the total. */
const table: Loss[] = [
  labelsLoss,
  boxesLoss,
  cardinalityLoss,
  masksLoss,
  isfinalLoss,
  contrastiveAlignLoss,
  imageTextContrastiveLoss,
  answersLoss,
];

/** All registered losses, in the order of their terms. */
export const registeredLosses = (): readonly Loss[] => table;

/**
 * Adds a loss to the table; returns a function that removes it. The table belongs to the thread: data loading threads
 * make targets too, so a loss with `inputs.targets` has to be registered there as well, or `num_workers` has to be 0.
 *
 * @throws {Error} when another loss has the same name
 */
export const registerLoss = (loss: Loss): (() => void) => {
  if (table.some(({ name }) => name === loss.name)) throw new Error(`internal: two losses are named "${loss.name}"`);
  table.push(loss);
  return () => {
    table.splice(table.indexOf(loss), 1);
  };
};

/** The losses that a config trains, in the order of the table. */
export const activeLosses = (config: LossConfig): readonly Loss[] =>
  table.filter((loss) => loss.isOn(config) && (!loss.isMatched || hasDetectionLosses(config)));

/**
 * Weight of every term in the total, by name: the official `weight_dict`. Like there, it also names terms that are never
 * computed (answers of auxiliary layers, boxes when only answers are trained).
 */
export const lossWeights = (config: LossConfig): Readonly<Record<string, number>> => {
  const weights = table.filter((loss) => loss.isOn(config)).flatMap((loss) => Object.entries(loss.weight(config)));
  const auxiliary = Array.from({ length: lossLayerCount(config) - 1 }, (_, layer) =>
    weights.map(([name, weight]) => [auxiliaryTermName(name, layer), weight] as const),
  );
  return Object.fromEntries([...weights, ...auxiliary.flat()]);
};

/** Name of a term of a decoder layer before the last. */
export const auxiliaryTermName = (name: string, layer: number): string => `${name}_${layer}`;

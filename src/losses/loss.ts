import type { DType, HostTensor, Shape, Tensor } from '../engine/graph/index.ts';
import type { LossConfig } from './config.ts';
import type { MatchedPairs } from './matched-pairs.ts';
import type { TargetBatch } from './targets.ts';

/*
 * Axes in this folder: L decoder layers, B captions of the batch, Q queries, T tokens of the padded captions, N boxes of
 * the batch (the boxes of all samples, concatenated), M matched pairs of one layer.
 */

/**
 * Loss terms and accuracies by official name: `(L)`, one value for each decoder layer from first to last, or a scalar for
 * a term that exists once per batch.
 */
export type LossTerms = Readonly<Record<string, Tensor>>;

/** Everything that a loss reads. */
export interface LossInputs {
  /** Names of the model's outputs that `trace` reads. */
  outputs(config: LossConfig): readonly string[];
  /**
   * Makes the target tensors that `trace` reads, by name. `target_boxes` (N, 4), `positive_map` (N, 256) and `box_counts`
   * (B) are there for every loss and need not be made.
   *
   * @throws {MdetrError} naming the sample that lacks a field (`requireField`)
   */
  targets?(batch: TargetBatch, config: LossConfig): Readonly<Record<string, HostTensor>>;
}

/** Values that the graph of a loss is built from. */
export interface LossContext {
  /** Weights and coefficients. */
  readonly config: LossConfig;
  /** One of the model's outputs that `inputs.outputs` lists. */
  output(name: string): Tensor;
  /** A target tensor as an input of the graph. Losses that read the same target share one input. */
  target(name: string, shape: Shape, dtype?: DType): Tensor;
}

/** Values for a loss on pairs of queries and boxes. */
export interface MatchedLossContext extends LossContext {
  /** Queries and boxes that the matching assigned to each other. */
  readonly pairs: MatchedPairs;
  /** Scalar that sums over boxes are divided by (`boxNormalizer`). */
  readonly numBoxes: Tensor;
}

/** Declaration of a loss: its inputs, weights and graph. */
export interface LossDeclaration<Context extends LossContext> {
  /** Unique name in the table of losses. */
  readonly name: string;
  /** Whether a config trains this loss. */
  isOn(config: LossConfig): boolean;
  /** Outputs of the model and targets that it reads. */
  readonly inputs: LossInputs;
  /** Weight of each term in the total, by name. Terms without a weight are only logged. */
  weight(config: LossConfig): Readonly<Record<string, number>>;
  /** Builds the terms, without their weights. */
  trace(context: Context): LossTerms;
}

/** A loss on matched queries and boxes. It is off when the config has `no_detection`. */
export interface MatchedLoss extends LossDeclaration<MatchedLossContext> {
  /** Whether it reads matched pairs. */
  readonly isMatched: true;
}

/** A loss that needs no matching. */
export interface UnmatchedLoss extends LossDeclaration<LossContext> {
  /** Whether it reads matched pairs. */
  readonly isMatched: false;
}

/** A loss: one object in a file of `terms/` and one line in the table of `losses.ts`. */
export type Loss = MatchedLoss | UnmatchedLoss;

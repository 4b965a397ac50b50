import { performance } from 'node:perf_hooks';
import type { HostTensor } from '../../engine/graph/index.ts';
import type { RowGradient } from '../optimizer/row-gradient.ts';
import { MdetrError } from '../../errors.ts';
import type { LayerMatches } from '../../losses/index.ts';
import type { TrainBatch } from '../data/train-batch.ts';
import type { Communicator } from '../parallel/communicator.ts';
import type { PartsChoice } from './choose-parts.ts';

/** Durations of the parts of a step in milliseconds. */
export interface StepTiming {
  /** Forward pass. */
  forwardMs: number;
  /** Matching on the host. */
  matchingMs: number;
  /** Losses and the gradients of the outputs. */
  lossMs: number;
  /** Backward pass. */
  backwardMs: number;
}

/** Losses of one batch, and the gradients of their weighted sum. */
export interface StepResult {
  readonly total: number;
  /** Unweighted losses and accuracies by official name. */
  readonly terms: Readonly<Record<string, number>>;
  /** Gradients by parameter name. Parameters that no loss reaches are missing, like PyTorch's `grad is None`. */
  readonly gradients: ReadonlyMap<string, HostTensor>;
  /** Gradients of large tables, which are not among the others. They are valid after `release`, too. */
  readonly tables: ReadonlyMap<string, RowGradient>;
  readonly matches: LayerMatches | undefined;
  readonly timing: StepTiming;
  /** Releases the memory of the gradients; their arrays must not be read afterwards. */
  release(): void;
}

/** Computes the losses of a batch and their gradients: the part of a training step that depends on the network. */
export interface DifferentiableStep {
  /** Names of the parameters that get a gradient. */
  readonly trained: readonly string[];
  /** Number of parts in which a batch is computed side by side; undefined where batches are not divided. */
  readonly parts?: number;
  /**
   * Chooses the number of parts in which batches like the given one are computed fastest. Undefined if they are not divided.
   *
   * @param parameters every entry that the programs read, by name; nothing is changed
   */
  chooseParts?(
    batch: TrainBatch,
    parameters: ReadonlyMap<string, HostTensor>,
    communicator: Communicator,
  ): Promise<PartsChoice | undefined>;
  /**
   * @param parameters every entry that the programs read, by name
   * @param numBoxes divisor of sums over boxes (`boxNormalizer`)
   * @param seed seed of the dropout masks, a uint32
   * @param onGradients is called with gradients that are complete while others are still computed, in an order that is the
   *   same in all processes; not necessarily with all
   * @throws {MdetrError} naming ids and terms when the loss is not finite
   */
  run(
    batch: TrainBatch,
    parameters: ReadonlyMap<string, HostTensor>,
    numBoxes: number,
    seed: number,
    onGradients?: (gradients: ReadonlyMap<string, HostTensor>) => void,
  ): Promise<StepResult>;
  dispose(): Promise<void>;
}

/**
 * Checks that the total is finite.
 *
 * @throws {MdetrError} naming the terms that are not, and the ids of the batch
 */
export const requireFinite = (total: number, terms: Readonly<Record<string, number>>, ids: readonly string[]): void => {
  if (Number.isFinite(total)) return;
  const broken = Object.entries(terms)
    .filter(([, value]) => !Number.isFinite(value))
    .map(([name, value]) => `${name} = ${value}`);
  throw new MdetrError(`the loss is not finite (${broken.join(', ')}) for the batch ${ids.join(', ')}`);
};

/** Returns a function that returns the milliseconds since its last call. */
export const stopwatch = (): (() => number) => {
  let last = performance.now();
  return () => {
    const now = performance.now();
    const elapsed = now - last;
    last = now;
    return elapsed;
  };
};

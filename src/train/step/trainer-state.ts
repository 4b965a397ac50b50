import { MdetrError } from '../../errors.ts';
import type { HostTensor } from '../../engine/graph/index.ts';
import type { LearningRates } from '../config/schedule.ts';
import type { Moments } from '../optimizer/optimizer.ts';
import type { StepTiming } from './differentiable-step.ts';

/** Result of one step. */
export interface StepReport {
  /** Number of completed steps. */
  readonly step: number;
  /** Weighted sum of the losses. */
  readonly total: number;
  /** Unweighted losses and accuracies by official name. */
  readonly terms: Readonly<Record<string, number>>;
  /** Learning rates of the step. */
  readonly rates: LearningRates;
  /** Norm of the gradients before clipping. */
  readonly gradientNorm: number;
  /** Time of each part in milliseconds. */
  readonly timing: StepTiming & {
    /** Wait for the gradients of other processes that was not hidden behind the backward pass. */
    readonly exchangeMs: number;
    /** Update of the parameters. */
    readonly updateMs: number;
  };
}

/** State of a trainer that a run is resumed from. */
export interface TrainerState {
  /** Number of completed steps. */
  readonly step: number;
  /** Parameters by official name. */
  readonly parameters: ReadonlyMap<string, HostTensor>;
  /** Moving average of the parameters; undefined without one. */
  readonly average: ReadonlyMap<string, HostTensor> | undefined;
  /** The optimizer's moments by parameter. */
  readonly moments: ReadonlyMap<string, Moments>;
}

/**
 * Copies stored values into those of a network.
 *
 * @throws {MdetrError} if they belong to another network
 */
export const copyInto = (target: ReadonlyMap<string, HostTensor>, source: ReadonlyMap<string, HostTensor>): void => {
  for (const [name, { data, dtype }] of target) {
    const stored = source.get(name);
    if (stored?.data.length !== data.length || stored.dtype !== dtype)
      throw new MdetrError(
        `the stored state does not fit this network: "${name}" ${stored === undefined ? 'is missing' : 'has another shape'}`,
      );
    (data as Float32Array).set(stored.data as Float32Array);
  }
};

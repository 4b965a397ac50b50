import type { AuxiliaryHeads } from '../auxiliary/auxiliary-heads.ts';
import type { ScheduleConfig } from '../config/schedule.ts';
import type { OptimizerConfig } from '../optimizer/optimizer.ts';
import type { Precision } from '../parallel/bfloat16.ts';
import type { Communicator } from '../parallel/communicator.ts';

/** Options of a trainer. */
export interface TrainerOptions {
  readonly schedule: ScheduleConfig;
  /** When the schedule sets the rates: after each step as in the official code (the default), where step 0 has full rates. */
  readonly ratesSet?: 'after_step' | 'before_step';
  readonly optimizer: OptimizerConfig;
  /** Maximum norm of the gradients; 0 or less turns clipping off. */
  readonly clipMaxNorm: number;
  /** Decay of the moving average of all weights. Without it no average is kept. */
  readonly emaDecay?: number | undefined;
  /** Number of steps in an epoch of the schedule. */
  readonly stepsPerEpoch: number;
  /** Seed of the dropout masks. */
  readonly seed: number;
  readonly dropout: boolean;
  /** Whether a parameter is trained; by default those that the official code trains. */
  readonly isTrainable?: (name: string) => boolean;
  /** Batches hold what a frozen backbone sees instead of images. */
  readonly isPrecomputed?: boolean;
  /** Heads that exist only in training. Their values are part of `parameters`. */
  readonly auxiliary?: AuxiliaryHeads;
  /** Maximum number of boxes of a batch whose masks are trained; 0 for all. */
  readonly maskBoxes?: number;
  /** Number of parts in which a batch is computed side by side. Default 1; `chooseParts` may change it. */
  readonly parts?: number | undefined;
  /** Connection to the other processes of data-parallel training. */
  readonly communicator?: Communicator;
  /** Divides the optimizer's state among these processes. Default false. */
  readonly shardOptimizer?: boolean | undefined;
  /** Precision in which the processes exchange gradients. Default float32. */
  readonly gradientExchange?: Precision | undefined;
  /** Optimizer threads; by default one per core, at most 4. The result does not depend on it. */
  readonly threads?: number;
}

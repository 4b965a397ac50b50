import type { HostTensor } from '../../engine/graph/index.ts';
import type { LearningRates } from '../config/schedule.ts';
import { sharedBeside } from './shared-values.ts';
import { applyUpdate, piecesOf, sumOfSquares, type Update } from './update-pass.ts';

/** What the optimiser remembers of one parameter. */
export interface Moments {
  /** How many steps the parameter took part in. */
  step: number;
  /** Running mean of the gradient; SGD's momentum buffer. */
  readonly first: Float32Array;
  /** Running mean of its square; empty for SGD. */
  readonly second: Float32Array;
}

export interface OptimizerConfig {
  /** `adam` and `adamw` are both AdamW, as in the official code. */
  readonly optimizer: 'adam' | 'adamw' | 'sgd';
  readonly weight_decay: number;
  /** Names whose weights decay; the official code spares none. */
  readonly decays?: (name: string) => boolean;
}

/** A moving average that is updated together with the values. */
export interface MovingAverage {
  readonly values: ReadonlyMap<string, HostTensor>;
  readonly decay: number;
}

/** The official groups, by name: `backbone`, `text_encoder`, and the rest. */
export const rateFor = (name: string, rates: LearningRates): number => {
  if (name.includes('backbone')) return rates.backbone;
  return name.includes('text_encoder') ? rates.textEncoder : rates.main;
};

/** L2 norm over all gradients together, accumulated in double precision. */
export const globalNorm = (gradients: Iterable<HostTensor>): number => {
  const arrays = Array.from(gradients, ({ data }) => data as Float32Array);
  let total = 0;
  for (const { array, start, end } of piecesOf(arrays.map(({ length }) => length)))
    total += sumOfSquares(arrays[array]!, start, end);
  return Math.sqrt(total);
};

/** What gradients are multiplied by so that their norm is at most `maxNorm`; 0 or less means no clipping. */
export const clipFactor = (norm: number, maxNorm: number): number =>
  maxNorm > 0 ? Math.min(1, maxNorm / (norm + 1e-6)) : 1;

/** AdamW (arXiv:1711.05101) or SGD with momentum, one fused pass over each parameter. */
export class Optimizer {
  readonly state = new Map<string, Moments>();
  /** Those whose moments are where the loops work on them. */
  private readonly placed = new Set<string>();

  constructor(private readonly config: OptimizerConfig) {}

  /**
   * Changes parameters in place. Only parameters with a gradient are touched, decay included, as PyTorch skips those
   * whose gradient is None.
   */
  step(
    parameters: ReadonlyMap<string, HostTensor>,
    gradients: ReadonlyMap<string, HostTensor>,
    rates: LearningRates,
    clip: number,
  ): void {
    for (const update of this.plan(parameters, gradients, rates, clip)) applyUpdate(update, 0, update.values.length);
  }

  /** Counts a step and says what it does, for whoever does it. */
  plan(
    parameters: ReadonlyMap<string, HostTensor>,
    gradients: ReadonlyMap<string, HostTensor>,
    rates: LearningRates,
    clip: number,
    average?: MovingAverage,
  ): readonly Update[] {
    return Array.from(gradients, ([name, { data }]) => {
      const parameter = parameters.get(name);
      if (parameter === undefined) throw new Error(`internal: gradient for unknown parameter "${name}"`);
      const values = parameter.data as Float32Array;
      const moments = this.momentsOf(name, values);
      moments.step++;
      return {
        kind: this.config.optimizer === 'sgd' ? 'sgd' : 'adamw',
        values,
        gradient: data as Float32Array,
        first: moments.first,
        second: moments.second,
        average: average?.values.get(name)?.data as Float32Array | undefined,
        step: moments.step,
        rate: rateFor(name, rates),
        decay: this.config.decays?.(name) === false ? 0 : this.config.weight_decay,
        clip,
        averageDecay: average?.decay ?? 1,
      };
    });
  }

  /** Goes on from stored moments, which are copied when their parameter's turn comes. */
  restore(moments: ReadonlyMap<string, Moments>): void {
    this.state.clear();
    this.placed.clear();
    for (const [name, stored] of moments) this.state.set(name, { ...stored });
  }

  private momentsOf(name: string, values: Float32Array): Moments {
    const known = this.state.get(name);
    if (known !== undefined && this.placed.has(name)) return known;
    const moments: Moments = {
      step: known?.step ?? 0,
      first: sharedBeside(values),
      second: this.config.optimizer === 'sgd' ? new Float32Array(new SharedArrayBuffer(0)) : sharedBeside(values),
    };
    if (known !== undefined) {
      moments.first.set(known.first);
      moments.second.set(known.second);
    }
    this.state.set(name, moments);
    this.placed.add(name);
    return moments;
  }
}

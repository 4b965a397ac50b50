import type { HostTensor } from '../graph/index.ts';
import type { LearningRates } from './schedule.ts';

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

const beta1 = 0.9;
const beta2 = 0.999;
const epsilon = 1e-8;
const momentum = 0.9;

/** The official groups, by name: `backbone`, `text_encoder`, and the rest. */
export const rateFor = (name: string, rates: LearningRates): number => {
  if (name.includes('backbone')) return rates.backbone;
  return name.includes('text_encoder') ? rates.textEncoder : rates.main;
};

/** L2 norm over all gradients together, accumulated in double precision. */
export const globalNorm = (gradients: Iterable<HostTensor>): number => {
  let total = 0;
  for (const { data } of gradients) {
    const values = data as Float32Array;
    let sum = 0;
    for (let index = 0; index < values.length; index++) sum += values[index]! * values[index]!;
    total += sum;
  }
  return Math.sqrt(total);
};

/** What gradients are multiplied by so that their norm is at most `maxNorm`; 0 or less means no clipping. */
export const clipFactor = (norm: number, maxNorm: number): number =>
  maxNorm > 0 ? Math.min(1, maxNorm / (norm + 1e-6)) : 1;

/** AdamW (arXiv:1711.05101) or SGD with momentum, one fused pass over each parameter. */
export class Optimizer {
  readonly state = new Map<string, Moments>();

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
    for (const [name, gradient] of gradients) {
      const parameter = parameters.get(name);
      if (parameter === undefined) throw new Error(`internal: gradient for unknown parameter "${name}"`);
      const values = parameter.data as Float32Array;
      const slopes = gradient.data as Float32Array;
      const decay = this.config.decays?.(name) === false ? 0 : this.config.weight_decay;
      const moments = this.momentsOf(name, values.length);
      moments.step++;
      if (this.config.optimizer === 'sgd') sgdPass(values, slopes, moments, rateFor(name, rates), decay, clip);
      else adamwPass(values, slopes, moments, rateFor(name, rates), decay, clip);
    }
  }

  private momentsOf(name: string, size: number): Moments {
    const known = this.state.get(name);
    if (known !== undefined) return known;
    const fresh: Moments = {
      step: 0,
      first: new Float32Array(size),
      second: new Float32Array(this.config.optimizer === 'sgd' ? 0 : size),
    };
    this.state.set(name, fresh);
    return fresh;
  }
}

const adamwPass = (
  values: Float32Array,
  slopes: Float32Array,
  { step, first, second }: Moments,
  rate: number,
  decay: number,
  clip: number,
): void => {
  // PyTorch multiplies by a float32 factor: at the official rates it is exactly 1.
  const shrink = Math.fround(1 - rate * decay);
  const stepSize = rate / (1 - beta1 ** step);
  const correction = Math.sqrt(1 - beta2 ** step);
  for (let index = 0; index < values.length; index++) {
    const slope = slopes[index]! * clip;
    const mean = beta1 * first[index]! + (1 - beta1) * slope;
    const square = beta2 * second[index]! + (1 - beta2) * slope * slope;
    first[index] = mean;
    second[index] = square;
    values[index] = values[index]! * shrink - (stepSize * mean) / (Math.sqrt(square) / correction + epsilon);
  }
};

const sgdPass = (
  values: Float32Array,
  slopes: Float32Array,
  { step, first }: Moments,
  rate: number,
  decay: number,
  clip: number,
): void => {
  for (let index = 0; index < values.length; index++) {
    const slope = slopes[index]! * clip + decay * values[index]!;
    // The first step fills the buffer with the gradient itself.
    const velocity = step === 1 ? slope : momentum * first[index]! + slope;
    first[index] = velocity;
    values[index] = values[index]! - rate * velocity;
  }
};

import type { HostTensor } from '../../engine/graph/index.ts';
import type { LearningRates } from '../config/schedule.ts';
import { isHiddenMatrix } from './muon.ts';
import type { RowGradient } from './row-gradient.ts';
import { sharedBeside } from './shared-values.ts';
import { applyUpdate, type Update } from './update-pass.ts';

/** Optimizer state of one parameter. */
export interface Moments {
  /** Number of steps in which the parameter had a gradient. */
  step: number;
  /** Running mean of the gradient; the momentum buffer of SGD. */
  readonly first: Float32Array;
  /** Running mean of the squared gradient; empty for SGD and Muon. */
  readonly second: Float32Array;
}

/** Settings of the optimizer. */
export interface OptimizerConfig {
  /** `adam` and `adamw` are both AdamW, as in the official code; `muon` is Muon for hidden matrices, AdamW for the rest. */
  readonly optimizer: 'adam' | 'adamw' | 'sgd' | 'muon';
  /** Factor of the rates of what Muon updates. Default 1. */
  readonly muon_lr_factor?: number | undefined;
  readonly weight_decay: number;
  /** Whether weight decay applies to a parameter; to all in the official code. */
  readonly decays?: ((name: string) => boolean) | undefined;
}

/** Moving average that is updated together with the values. */
export interface MovingAverage {
  readonly values: ReadonlyMap<string, HostTensor>;
  readonly decay: number;
}

/**
 * Learning rate of a parameter by its name, in the official groups: `backbone`, `text_encoder`, and the rest. Pre-trained word
 * vectors, which no official network has, have their own.
 */
const rateFor = (name: string, rates: LearningRates): number => {
  if (name.includes('backbone')) return rates.backbone;
  if (name.includes('pretrained_embeddings')) return rates.wordVectors;
  return name.includes('text_encoder') ? rates.textEncoder : rates.main;
};

/** Factor that scales gradients to a norm of at most `maxNorm`; a `maxNorm` of 0 or less turns clipping off. */
export const clipFactor = (norm: number, maxNorm: number): number =>
  maxNorm > 0 ? Math.min(1, maxNorm / (norm + 1e-6)) : 1;

/** AdamW (arXiv:1711.05101), SGD with momentum, or Muon, as one fused pass over each parameter. */
export class Optimizer {
  readonly state = new Map<string, Moments>();
  /** Parameters whose moments are in the memory that the kernels work on. */
  private readonly placed = new Set<string>();

  constructor(private readonly config: OptimizerConfig) {}

  /**
   * Updates parameters in place. Parameters without a gradient are skipped, weight decay included, as in PyTorch.
   *
   * @param clip see `clipFactor`
   */
  step(
    parameters: ReadonlyMap<string, HostTensor>,
    gradients: ReadonlyMap<string, HostTensor>,
    rates: LearningRates,
    clip: number,
  ): void {
    for (const update of this.plan(parameters, gradients, rates, clip).values())
      applyUpdate(update, 0, update.values.length);
  }

  /**
   * Counts a step and returns its updates by parameter, which the caller applies. Those of Muon have no direction yet.
   *
   * @param tables gradients of further parameters
   */
  plan(
    parameters: ReadonlyMap<string, HostTensor>,
    gradients: ReadonlyMap<string, HostTensor>,
    rates: LearningRates,
    clip: number,
    average?: MovingAverage,
    tables: ReadonlyMap<string, RowGradient> = new Map(),
  ): ReadonlyMap<string, Update> {
    const updateOf = (name: string): Omit<Update, 'gradient' | 'rows'> => {
      const parameter = parameters.get(name);
      if (parameter === undefined) throw new Error(`internal: gradient for unknown parameter "${name}"`);
      const values = parameter.data as Float32Array;
      const kind = this.kindOf(name, parameter.shape);
      const moments = this.momentsOf(name, values, kind);
      moments.step++;
      return {
        kind,
        values,
        first: moments.first,
        second: moments.second,
        average: average?.values.get(name)?.data as Float32Array | undefined,
        step: moments.step,
        rate: rateFor(name, rates) * (kind === 'muon' ? (this.config.muon_lr_factor ?? 1) : 1),
        decay: this.config.decays?.(name) === false ? 0 : this.config.weight_decay,
        clip,
        averageDecay: average?.decay ?? 1,
      };
    };
    const updates = new Map<string, Update>();
    for (const [name, { data }] of gradients) updates.set(name, { ...updateOf(name), gradient: data as Float32Array });
    for (const [name, { indices, values }] of tables)
      updates.set(name, { ...updateOf(name), gradient: values, rows: indices });
    return updates;
  }

  /** Resumes from stored moments, which are copied when their parameter is next updated. */
  restore(moments: ReadonlyMap<string, Moments>): void {
    this.state.clear();
    this.placed.clear();
    for (const [name, stored] of moments) this.state.set(name, { ...stored });
  }

  private kindOf(name: string, shape: readonly number[]): Update['kind'] {
    const { optimizer } = this.config;
    if (optimizer === 'sgd') return 'sgd';
    return optimizer === 'muon' && isHiddenMatrix(name, shape) ? 'muon' : 'adamw';
  }

  private momentsOf(name: string, values: Float32Array, kind: Update['kind']): Moments {
    const known = this.state.get(name);
    if (known !== undefined && this.placed.has(name)) return known;
    const first = sharedBeside(values);
    const second = kind === 'adamw' ? sharedBeside(values) : new Float32Array(new SharedArrayBuffer(0));
    // A resumed run may use another optimizer, which begins anew.
    const isResumed = known?.second.length === second.length;
    if (isResumed) {
      first.set(known.first);
      second.set(known.second);
    }
    const moments: Moments = { step: isResumed ? known.step : 0, first, second };
    this.state.set(name, moments);
    this.placed.add(name);
    return moments;
  }
}

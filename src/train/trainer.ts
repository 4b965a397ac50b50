import type { HostTensor } from '../graph/index.ts';
import { boxNormaliser, type LossConfig } from '../losses/index.ts';
import { initialValue, type Mdetr } from '../models/index.ts';
import type { Runtime } from '../runtime/runtime.ts';
import { copyEntries, updateAverage } from './ema.ts';
import { clipFactor, globalNorm, Optimizer, type OptimizerConfig } from './optimizer.ts';
import { ratesAt, type LearningRates, type ScheduleConfig } from './schedule.ts';
import { TrainStep, type StepTiming, type TrainBatch } from './train-step.ts';

export interface TrainerOptions {
  readonly schedule: ScheduleConfig;
  readonly optimizer: OptimizerConfig;
  /** Gradients are scaled down to this norm; 0 or less: never. */
  readonly clipMaxNorm: number;
  /** Decay of the moving average of all weights; none without. */
  readonly emaDecay?: number;
  /** Steps of an epoch, by which the schedule counts. */
  readonly stepsPerEpoch: number;
  /** Of dropout. */
  readonly seed: number;
  readonly dropout: boolean;
  /** Parameters to train; by default those that the official code trains. */
  readonly isTrainable?: (name: string) => boolean;
}

/** What one step did. */
export interface StepReport {
  readonly step: number;
  readonly total: number;
  /** Every loss and accuracy by its official name. */
  readonly terms: Readonly<Record<string, number>>;
  readonly rates: LearningRates;
  /** Of the gradients, before clipping. */
  readonly gradientNorm: number;
  readonly timing: StepTiming & { readonly updateMs: number };
}

/** Starting values of all `state_dict` entries. */
export const initialParameters = (model: Mdetr, seed: number): Map<string, HostTensor> =>
  new Map(model.registry.specs.map((spec) => [spec.name, initialValue(spec, seed)]));

/** What the official code trains: the backbone as it says itself, and only with a rate above 0; everything else. */
export const officiallyTrainable =
  (model: Mdetr, { lr_backbone }: Pick<ScheduleConfig, 'lr_backbone'>) =>
  (name: string): boolean =>
    !name.includes('backbone.0') || (lr_backbone > 0 && model.isBackboneTrainable(name));

/**
 * Trains a network batch by batch, for those who write their own loop. One `step` is the official one: forward,
 * matching, losses, backward, clipping, optimiser, then the schedule's rates for the next step, then the moving average.
 */
export class Trainer {
  /** Copies of all weights, averaged; undefined without `emaDecay`. */
  readonly average: ReadonlyMap<string, HostTensor> | undefined;
  private readonly optimizer: Optimizer;
  private rates: LearningRates;
  private count = 0;

  private constructor(
    /** All `state_dict` entries; changed in place. */
    readonly parameters: ReadonlyMap<string, HostTensor>,
    private readonly trainStep: TrainStep,
    private readonly options: TrainerOptions,
  ) {
    this.optimizer = new Optimizer(options.optimizer);
    this.average = options.emaDecay === undefined ? undefined : copyEntries(parameters);
    // The official schedule acts for the first time after step 0.
    const { lr, lr_backbone, text_encoder_lr } = options.schedule;
    this.rates = { main: lr, backbone: lr_backbone, textEncoder: text_encoder_lr };
  }

  /** @param parameters where to start from: `initialParameters`, or what was loaded */
  static async create(
    model: Mdetr,
    config: LossConfig,
    parameters: ReadonlyMap<string, HostTensor>,
    runtime: Runtime,
    options: TrainerOptions,
  ): Promise<Trainer> {
    const isTrainable = options.isTrainable ?? officiallyTrainable(model, options.schedule);
    const step = await TrainStep.load(model, config, runtime, { isTrainable, dropout: options.dropout });
    return new Trainer(parameters, step, options);
  }

  /** Throws `MdetrError` naming the batch's ids and the term when the loss is not finite; nothing is changed then. */
  async step(batch: TrainBatch): Promise<StepReport> {
    const { options, rates, count } = this;
    const boxes = batch.targets.boxCounts.reduce((sum, own) => sum + own, 0);
    // Neighbouring seeds give unrelated masks: the generator mixes them.
    const seed = (options.seed + Math.imul(count, 0x9e3779b9)) >>> 0;
    const result = await this.trainStep.run(batch, this.parameters, boxNormaliser(boxes), seed);
    const started = performance.now();
    const gradientNorm = globalNorm(result.gradients.values());
    this.optimizer.step(this.parameters, result.gradients, rates, clipFactor(gradientNorm, options.clipMaxNorm));
    this.rates = ratesAt(options.schedule, count, options.stepsPerEpoch);
    if (this.average !== undefined && options.emaDecay !== undefined)
      updateAverage(this.average, this.parameters, options.emaDecay);
    this.count++;
    return {
      step: count,
      total: result.total,
      terms: result.terms,
      rates,
      gradientNorm,
      timing: { ...result.timing, updateMs: performance.now() - started },
    };
  }

  async dispose(): Promise<void> {
    await this.trainStep.dispose();
  }
}

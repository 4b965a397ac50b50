import { availableParallelism } from 'node:os';
import { MdetrError } from '../../errors.ts';
import type { HostTensor } from '../../engine/graph/index.ts';
import { boxNormalizer, type LossConfig } from '../../losses/index.ts';
import type { Mdetr } from '../../models/index.ts';
import type { Runtime } from '../../engine/runtime/runtime.ts';
import { allReduceTogether, singleProcess, type Communicator } from '../parallel/communicator.ts';
import { copyEntries, updateAverage } from '../optimizer/ema.ts';
import { isAuxiliary, type AuxiliaryHeads } from '../auxiliary/auxiliary-heads.ts';
import { clipFactor, Optimizer, type Moments, type OptimizerConfig } from '../optimizer/optimizer.ts';
import { officiallyTrainable } from './parameters.ts';
import { ratesAt, type LearningRates, type ScheduleConfig } from '../config/schedule.ts';
import { dropoutSeed } from '../../random/mixing.ts';
import { UpdatePool } from '../optimizer/update-pool.ts';
import { TrainStep, type DifferentiableStep, type StepResult, type StepTiming } from './train-step.ts';
import { type TrainBatch } from '../data/train-batch.ts';

export { initialParameters, officiallyTrainable } from './parameters.ts';

export interface TrainerOptions {
  readonly schedule: ScheduleConfig;
  /** The official code sets the rates of a step after it, so that step 0 runs at full rates; the default here too. */
  readonly ratesSet?: 'after_step' | 'before_step';
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
  /** Heads that only training has; `parameters` must have values for theirs too. */
  readonly auxiliary?: AuxiliaryHeads;
  /** Masks are trained on at most so many of a batch's boxes; 0: all. */
  readonly maskBoxes?: number;
  /** The other processes of a data-parallel training. */
  readonly communicator?: Communicator;
  /** Threads that share the optimiser's work; by default one a core, at most 4. The result does not depend on it. */
  readonly threads?: number;
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

/** All that a trainer is made of, to be stored and to go on from. */
export interface TrainerState {
  /** Steps that are done. */
  readonly step: number;
  readonly parameters: ReadonlyMap<string, HostTensor>;
  readonly average: ReadonlyMap<string, HostTensor> | undefined;
  readonly moments: ReadonlyMap<string, Moments>;
}

/**
 * Trains a network batch by batch, for those who write their own loop. One `step` is the official one: forward,
 * matching, losses, backward, clipping, optimiser, then the schedule's rates for the next step, then the moving average.
 */
export class Trainer {
  /** Copies of all weights that ship, averaged; undefined without `emaDecay`. */
  readonly average: ReadonlyMap<string, HostTensor> | undefined;
  private readonly optimizer: Optimizer;
  private readonly communicator: Communicator;
  private readonly crew: UpdatePool;
  private count = 0;

  /** @param parameters every entry that the step reads, changed in place */
  constructor(
    readonly parameters: ReadonlyMap<string, HostTensor>,
    private readonly differentiable: DifferentiableStep,
    private readonly options: TrainerOptions,
  ) {
    this.optimizer = new Optimizer(options.optimizer);
    this.communicator = options.communicator ?? singleProcess;
    this.crew = new UpdatePool(options.threads ?? Math.min(mostThreads, availableParallelism()));
    this.average =
      options.emaDecay === undefined
        ? undefined
        : copyEntries(new Map([...parameters].filter(([name]) => !isAuxiliary(name))));
  }

  /** @param parameters where to start from: `initialParameters`, or what was loaded */
  static async create(
    model: Mdetr,
    config: LossConfig,
    parameters: ReadonlyMap<string, HostTensor>,
    runtime: Runtime,
    options: TrainerOptions,
  ): Promise<Trainer> {
    const { dropout, auxiliary, maskBoxes } = options;
    const isTrainable = options.isTrainable ?? officiallyTrainable(model, options.schedule);
    const step = await TrainStep.load(model, config, runtime, { isTrainable, dropout, auxiliary, maskBoxes });
    return new Trainer(parameters, step, options);
  }

  /** Steps that are done. */
  get steps(): number {
    return this.count;
  }

  get state(): TrainerState {
    const { count: step, parameters, average, optimizer } = this;
    return { step, parameters, average, moments: optimizer.state };
  }

  /** Goes on from a stored state. Throws `MdetrError` when it is of another network. */
  restore({ step, parameters, average, moments }: TrainerState): void {
    copyInto(this.parameters, parameters);
    if (this.average !== undefined) copyInto(this.average, average ?? parameters);
    this.optimizer.restore(moments);
    this.count = step;
  }

  /** The rates that the next step will use. */
  get rates(): LearningRates {
    const { schedule, stepsPerEpoch, ratesSet } = this.options;
    if (ratesSet === 'before_step') return ratesAt(schedule, this.count + 1, stepsPerEpoch);
    // The official schedule acts for the first time after step 0.
    const { lr, lr_backbone, text_encoder_lr } = schedule;
    if (this.count === 0) return { main: lr, backbone: lr_backbone, textEncoder: text_encoder_lr };
    return ratesAt(schedule, this.count - 1, stepsPerEpoch);
  }

  /**
   * One step on a batch; on several, their gradients are averaged as if each were the batch of a process of its own.
   *
   * @throws {MdetrError} naming the batch's ids and the term when the loss is not finite, or the parameter whose
   *   gradient is not; nothing is changed then
   */
  async step(...batches: readonly [TrainBatch, ...TrainBatch[]]): Promise<StepReport> {
    const { rates, count } = this;
    const numBoxes = await this.boxesPerBatch(batches);
    const results: StepResult[] = [];
    try {
      for (const [index, batch] of batches.entries()) {
        const result = await this.differentiable.run(batch, this.parameters, numBoxes, this.dropoutSeedOf(index));
        results.push(result);
        if (index === 0) continue;
        const first = results[0]!.gradients;
        await this.crew.add(
          floatsOf(first),
          Array.from(first.keys(), (name) => result.gradients.get(name)!.data as Float32Array),
        );
        result.release();
      }
      const { gradients } = results[0]!;
      const started = performance.now();
      const gradientNorm = await this.update(gradients, rates, batches);
      this.count++;
      return {
        step: count,
        ...(await this.meanLosses(results)),
        rates,
        gradientNorm,
        timing: { ...sumTimings(results), updateMs: performance.now() - started },
      };
    } finally {
      for (const result of results) result.release();
    }
  }

  /** Clips, changes parameters and average, and returns the gradients' norm. */
  private async update(
    gradients: ReadonlyMap<string, HostTensor>,
    rates: LearningRates,
    batches: readonly TrainBatch[],
  ): Promise<number> {
    const { options, communicator, optimizer, crew: pool, parameters } = this;
    const shares = batches.length * communicator.size;
    const sums = floatsOf(gradients);
    await allReduceTogether(communicator, sums);
    const gradientNorm = (await pool.norm(sums)) / shares;
    if (!Number.isFinite(gradientNorm)) throw notFinite(gradients, batches);
    const { average } = this;
    const { emaDecay: decay } = options;
    const moving = average === undefined || decay === undefined ? undefined : { values: average, decay };
    // The mean over all batches is made where gradients are clipped.
    const clip = clipFactor(gradientNorm, options.clipMaxNorm) / shares;
    await pool.apply(optimizer.plan(parameters, gradients, rates, clip, moving));
    if (moving !== undefined) updateAverage(moving.values, parameters, moving.decay, (name) => gradients.has(name));
    return gradientNorm;
  }

  async dispose(): Promise<void> {
    await Promise.all([this.differentiable.dispose(), this.crew.dispose()]);
  }

  /** Over the batches of all processes. */
  private async meanLosses(results: readonly StepResult[]): Promise<Pick<StepReport, 'total' | 'terms'>> {
    const { communicator } = this;
    const total = meanOf(results.map((result) => result.total));
    const terms = meanTerms(results.map((result) => result.terms));
    if (communicator.size === 1) return { total, terms };
    const sums = Float32Array.of(total, ...Object.values(terms));
    await communicator.allReduce(sums);
    const [meanTotal, ...meanOfTerms] = Array.from(sums, (sum) => sum / communicator.size);
    return {
      total: meanTotal!,
      terms: Object.fromEntries(Object.keys(terms).map((name, index) => [name, meanOfTerms[index]!])),
    };
  }

  /** Neighbouring seeds give unrelated masks: the generator mixes them. */
  private dropoutSeedOf(batch: number): number {
    const { rank, size } = this.communicator;
    return dropoutSeed(this.options.seed, this.count, batch * size + rank);
  }

  /** What sums over boxes are divided by: the mean over all batches of all processes, at least 1. */
  private async boxesPerBatch(batches: readonly TrainBatch[]): Promise<number> {
    const counts = batches.flatMap(({ targets }) => targets.boxCounts);
    const total = Float32Array.of(counts.reduce((sum, count) => sum + count, 0));
    await this.communicator.allReduce(total);
    return boxNormalizer(total[0]!, batches.length * this.communicator.size);
  }
}

/** Of the optimiser; more only wait for memory. */
const mostThreads = 4;

const copyInto = (target: ReadonlyMap<string, HostTensor>, source: ReadonlyMap<string, HostTensor>): void => {
  for (const [name, { data, dtype }] of target) {
    const stored = source.get(name);
    if (stored?.data.length !== data.length || stored.dtype !== dtype)
      throw new MdetrError(
        `the stored state does not fit this network: "${name}" is ${stored === undefined ? 'missing' : 'of another size'}`,
      );
    (data as Float32Array).set(stored.data as Float32Array);
  }
};

const floatsOf = (gradients: ReadonlyMap<string, HostTensor>): Float32Array[] =>
  Array.from(gradients.values(), ({ data }) => data as Float32Array);

const notFinite = (gradients: ReadonlyMap<string, HostTensor>, batches: readonly TrainBatch[]): MdetrError => {
  const broken = [...gradients]
    .filter(([, { data }]) => !(data as Float32Array).every(Number.isFinite))
    .map(([name]) => name);
  const ids = batches.flatMap((batch) => batch.ids).join(', ');
  return new MdetrError(
    `the gradient is not finite (${broken.slice(0, 3).join(', ')}${broken.length > 3 ? `, and ${broken.length - 3} more` : ''}) for the batch ${ids}`,
  );
};

const meanOf = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

const meanTerms = (all: readonly Readonly<Record<string, number>>[]): Record<string, number> =>
  Object.fromEntries(Object.keys(all[0]!).map((name) => [name, meanOf(all.map((terms) => terms[name]!))]));

const sumTimings = (results: readonly StepResult[]): StepTiming => {
  const total: StepTiming = { forwardMs: 0, matchingMs: 0, lossMs: 0, backwardMs: 0 };
  for (const { timing } of results)
    for (const name of Object.keys(total) as (keyof StepTiming)[]) total[name] += timing[name];
  return total;
};

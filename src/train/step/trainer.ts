import { availableParallelism } from 'node:os';
import type { HostTensor } from '../../engine/graph/index.ts';
import { boxNormalizer, type LossConfig } from '../../losses/index.ts';
import type { MdetrNetwork } from '../../models/index.ts';
import type { Runtime } from '../../engine/runtime/runtime.ts';
import { singleProcess, type Communicator } from '../parallel/communicator.ts';
import { copyEntries, updateAverage } from '../optimizer/ema.ts';
import { isAuxiliary } from '../auxiliary/auxiliary-heads.ts';
import { Muon } from '../optimizer/muon.ts';
import { clipFactor, Optimizer } from '../optimizer/optimizer.ts';
import { OptimizerShards } from '../optimizer/optimizer-shards.ts';
import { GradientSums, type Gradients, type SumOptions } from './gradient-sums.ts';
import { officiallyTrainable } from './parameters.ts';
import { ratesAt, scaledRates, type LearningRates } from '../config/schedule.ts';
import { dropoutSeed } from '../../random/mixing.ts';
import { UpdatePool } from '../optimizer/update-pool.ts';
import type { TrainBatch } from '../data/train-batch.ts';
import type { PartsChoice } from './choose-parts.ts';
import type { DifferentiableStep, StepResult } from './differentiable-step.ts';
import type { RowGradient } from '../optimizer/row-gradient.ts';
import { floatsOf, notFinite, sumOf, sumTables, sumTerms, sumTimings } from './step-totals.ts';
import type { TrainerOptions } from './trainer-options.ts';
import { copyInto, type StepReport, type TrainerState } from './trainer-state.ts';
import { TrainStep } from './train-step.ts';

/**
 * Trains a network batch by batch; `Training` opens one for a custom loop. A `step` does what the official code does: forward,
 * matching, losses, backward, clipping, optimizer, then the schedule's rates for the next step, then the moving average.
 */
export class Trainer {
  /** Moving average of all weights without auxiliary heads; undefined without `emaDecay`. */
  readonly average: ReadonlyMap<string, HostTensor> | undefined;
  private readonly optimizer: Optimizer;
  private readonly muon: Muon;
  private readonly communicator: Communicator;
  private readonly pool: UpdatePool;
  /** Undefined unless the optimizer's state is divided. */
  private readonly shards: OptimizerShards | undefined;
  /** Parameters that have moments, in the order of their first gradients. */
  private readonly updated = new Set<string>();
  private count = 0;

  /**
   * @internal
   * @param parameters every entry that the step reads; they are updated in place
   */
  constructor(
    /** Parameters by official name. */
    readonly parameters: ReadonlyMap<string, HostTensor>,
    private readonly differentiable: DifferentiableStep,
    private readonly options: TrainerOptions,
    runtime: Runtime,
  ) {
    this.optimizer = new Optimizer(options.optimizer);
    this.muon = new Muon(runtime);
    this.communicator = options.communicator ?? singleProcess;
    // Products of matrices are rounded differently by different CPUs, so that each of Muon's is made by one process.
    const isDivided = options.shardOptimizer === true || options.optimizer.optimizer === 'muon';
    this.shards =
      isDivided && this.communicator.size > 1
        ? new OptimizerShards(parameters, differentiable.trained, this.communicator)
        : undefined;
    this.pool = new UpdatePool(options.threads ?? Math.min(MAX_THREADS, availableParallelism()));
    this.average =
      options.emaDecay === undefined
        ? undefined
        : copyEntries(new Map([...parameters].filter(([name]) => !isAuxiliary(name))));
  }

  /**
   * @internal
   * @param parameters initial values: `initialParameters`, or those of a checkpoint
   */
  static async create(
    model: MdetrNetwork,
    config: LossConfig,
    parameters: ReadonlyMap<string, HostTensor>,
    runtime: Runtime,
    options: TrainerOptions,
  ): Promise<Trainer> {
    const { dropout, auxiliary, maskBoxes, isPrecomputed, parts } = options;
    const isTrainable = options.isTrainable ?? officiallyTrainable(model, options.schedule);
    const step = await TrainStep.load(model, config, runtime, {
      isTrainable,
      dropout,
      auxiliary,
      maskBoxes,
      isPrecomputed,
      parts,
      // Processes exchange dense gradients.
      minTableElements: (options.communicator ?? singleProcess).size > 1 ? Infinity : MIN_TABLE_ELEMENTS,
    });
    return new Trainer(parameters, step, options, runtime);
  }

  /** Number of completed steps. */
  get steps(): number {
    return this.count;
  }

  /** Number of parts in which a batch is computed side by side. */
  get parts(): number {
    return this.differentiable.parts ?? 1;
  }

  /**
   * Chooses the number of parts in which batches like the given one are computed fastest on this machine, in all processes
   * together, by alternating runs that train nothing.
   *
   * @returns the choice; undefined if batches of this network, or on this runtime, are not divided
   */
  async chooseParts(batch: TrainBatch): Promise<PartsChoice | undefined> {
    return this.differentiable.chooseParts?.(batch, this.parameters, this.communicator);
  }

  /** Everything that a resumed training needs; with a divided optimizer state only this process's part of it. */
  get state(): TrainerState {
    const { count: step, parameters, average, optimizer } = this;
    return { step, parameters, average, moments: optimizer.state };
  }

  /**
   * Gathers everything that a resumed training needs in the first process. All processes call it; the others get only
   * their part of a divided optimizer state.
   *
   * @internal
   */
  async gatherState(): Promise<TrainerState> {
    const { state, shards, communicator, updated } = this;
    if (shards === undefined) return state;
    const moments = await shards.gatherMoments([...updated], state.moments);
    return communicator.rank === 0 ? { ...state, moments } : state;
  }

  /**
   * Resumes from a stored state.
   *
   * @throws {MdetrError} when it belongs to another network
   */
  restore({ step, parameters, average, moments }: TrainerState): void {
    copyInto(this.parameters, parameters);
    if (this.average !== undefined) copyInto(this.average, average ?? parameters);
    const { shards } = this;
    for (const name of moments.keys()) this.updated.add(name);
    this.optimizer.restore(
      shards === undefined ? moments : new Map([...moments].filter(([name]) => shards.owns(name))),
    );
    this.count = step;
  }

  /** Learning rates of the next step. */
  get rates(): LearningRates {
    const { schedule, stepsPerEpoch, ratesSet } = this.options;
    if (ratesSet === 'before_step') return ratesAt(schedule, this.count + 1, stepsPerEpoch);
    // The official schedule sets rates for the first time after step 0.
    if (this.count === 0) return scaledRates(schedule, 1, 1);
    return ratesAt(schedule, this.count - 1, stepsPerEpoch);
  }

  /**
   * Trains on one batch. The gradients of several batches are averaged as if each were the batch of its own process.
   *
   * @throws {MdetrError} when the loss or a gradient is not finite, naming the ids of the batch and the terms or
   *   parameters; nothing is changed then
   */
  async step(...batches: readonly [TrainBatch, ...TrainBatch[]]): Promise<StepReport> {
    const { rates, count } = this;
    const { batchCount, numBoxes } = await this.countsOf(batches);
    const results: StepResult[] = [];
    const sums = new GradientSums(this.sumOptions);
    try {
      for (const [index, batch] of batches.entries()) {
        const seed = this.dropoutSeedOf(index);
        const before = results[0]?.gradients;
        const onGradients =
          index === batches.length - 1
            ? (gradients: Gradients): void => sums.begin(gradients.keys(), before, gradients)
            : undefined;
        const result = await this.differentiable.run(batch, this.parameters, numBoxes, seed, onGradients);
        results.push(result);
        if (onGradients !== undefined || before === undefined) continue;
        await sums.addBatch(before, result.gradients);
        result.release();
      }
      const { gradients } = results[0]!;
      const computedMs = performance.now();
      sums.begin(gradients.keys(), batches.length > 1 ? gradients : undefined, results.at(-1)!.gradients);
      await sums.finish();
      const exchangedMs = performance.now();
      const tables = sumTables(results.map((result) => result.tables));
      const gradientNorm = await this.update(gradients, tables, rates, batches, batchCount);
      this.count++;
      const timing = {
        ...sumTimings(results),
        exchangeMs: exchangedMs - computedMs,
        updateMs: performance.now() - exchangedMs,
      };
      return { step: count, ...(await this.meanLosses(results, batchCount)), rates, gradientNorm, timing };
    } finally {
      // A failed step may leave an exchange behind, which reads the gradients.
      await sums.finish().catch(() => undefined);
      for (const result of results) result.release();
    }
  }

  private get sumOptions(): SumOptions {
    const { communicator, pool, options } = this;
    return {
      communicator,
      precision: options.gradientExchange ?? 'float32',
      add: (sums, values) => pool.add(sums, values),
    };
  }

  /** Clips the gradients, updates parameters and average, and returns the norm of the gradients. */
  private async update(
    gradients: ReadonlyMap<string, HostTensor>,
    tables: ReadonlyMap<string, RowGradient>,
    rates: LearningRates,
    batches: readonly TrainBatch[],
    batchCount: number,
  ): Promise<number> {
    const { options, optimizer, pool, parameters } = this;
    const floats = new Map([...gradients, ...tables].map(([name, gradient]) => [name, floatsOf(gradient)]));
    const gradientNorm = (await pool.norm([...floats.values()])) / batchCount;
    if (!Number.isFinite(gradientNorm)) throw notFinite(floats, batches);
    const { average } = this;
    const { emaDecay: decay } = options;
    const moving = average === undefined || decay === undefined ? undefined : { values: average, decay };
    // Gradients are sums over all batches; the clip factor turns them into means.
    const clip = clipFactor(gradientNorm, options.clipMaxNorm) / batchCount;
    const { shards, updated } = this;
    for (const name of floats.keys()) updated.add(name);
    const own = shards === undefined ? gradients : new Map([...gradients].filter(([name]) => shards.owns(name)));
    const updates = optimizer.plan(parameters, own, rates, clip, moving, tables);
    await this.muon.withDirections(updates, parameters, (all) => pool.apply(all));
    await shards?.shareValues([...gradients.keys()]);
    if (moving !== undefined)
      updateAverage(moving.values, parameters, moving.decay, (name) => own.has(name) || tables.has(name));
    return gradientNorm;
  }

  /** Frees programs and threads. */
  async dispose(): Promise<void> {
    await Promise.all([this.differentiable.dispose(), this.muon.dispose(), this.pool.dispose()]);
  }

  /** Means over the batches of all processes. */
  private async meanLosses(
    results: readonly StepResult[],
    batchCount: number,
  ): Promise<Pick<StepReport, 'total' | 'terms'>> {
    const total = sumOf(results.map((result) => result.total));
    const terms = sumTerms(results.map((result) => result.terms));
    let sums = [total, ...Object.values(terms)];
    if (this.communicator.size > 1) {
      const shared = Float32Array.from(sums);
      await this.communicator.allReduce(shared);
      sums = Array.from(shared);
    }
    const [meanTotal, ...meanOfTerms] = sums.map((sum) => sum / batchCount);
    return {
      total: meanTotal!,
      terms: Object.fromEntries(Object.keys(terms).map((name, index) => [name, meanOfTerms[index]!])),
    };
  }

  /** Neighboring seeds give unrelated masks: the generator mixes them. */
  private dropoutSeedOf(batch: number): number {
    const { rank, size } = this.communicator;
    return dropoutSeed(this.options.seed, this.count, batch * size + rank);
  }

  /** Number of batches of the step in all processes, which may differ in their shares, and the divisor of sums over boxes. */
  private async countsOf(
    batches: readonly TrainBatch[],
  ): Promise<{ readonly batchCount: number; readonly numBoxes: number }> {
    const boxes = sumOf(batches.flatMap(({ targets }) => targets.boxCounts));
    const counts = Float32Array.of(batches.length, boxes);
    await this.communicator.allReduce(counts);
    const [batchCount, total] = [counts[0]!, counts[1]!];
    return { batchCount, numBoxes: boxNormalizer(total, batchCount) };
  }
}

/** Maximum number of optimizer threads; beyond this the update is memory-bound. */
const MAX_THREADS = 4;

/** Elements from which a table's gradient is kept as the rows that a batch reads. */
const MIN_TABLE_ELEMENTS = 2 ** 22;

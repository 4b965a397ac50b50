import type { HostTensor } from '../../engine/graph/index.ts';
import type { DeviceTensor, Feeds, Runtime, Session } from '../../engine/runtime/runtime.ts';
import { ValueScope } from '../../engine/runtime/value-scope.ts';
import {
  activeLosses,
  boxNormalizer,
  hasDetectionLosses,
  lossInputs,
  makeLossProgram,
  masksLoss,
  matchLayers,
  readLosses,
  type LossConfig,
  type LossProgram,
} from '../../losses/index.ts';
import type { MdetrNetwork } from '../../models/index.ts';
import type { AuxiliaryHeads } from '../auxiliary/auxiliary-heads.ts';
import type { Communicator } from '../parallel/communicator.ts';
import { candidateParts, chooseParts, type PartsChoice } from './choose-parts.ts';
import type { TrainBatch } from '../data/train-batch.ts';
import {
  requireFinite,
  stopwatch,
  type DifferentiableStep,
  type StepResult,
  type StepTiming,
} from './differentiable-step.ts';
import { auxiliaryCotangents, auxiliaryTerms, DividedPrograms } from './divided-programs.ts';
import { feedsFor, readTensors } from './feeds.ts';
import { traceMaskProgram, type MaskProgram } from './mask-program.ts';
import { MaskStep } from './mask-step.ts';
import { cotangentName } from './names.ts';
import { traceStep, type StepPrograms } from './step-programs.ts';
import { sumOf } from './step-totals.ts';

/** Options of `TrainStep.load`. */
export interface TrainStepOptions {
  /** Whether a parameter is trained. */
  readonly isTrainable: (name: string) => boolean;
  /** Whether dropout is on; without it the network computes as at inference. */
  readonly dropout: boolean;
  /** The inputs are what a frozen backbone sees instead of images. */
  readonly isPrecomputed?: boolean | undefined;
  /** Heads that exist only in training; their losses are added to the criterion's. */
  readonly auxiliary?: AuxiliaryHeads;
  /**
   * Maximum number of boxes of a batch whose masks are trained; 0 (the default) for all. The boxes are chosen at equal
   * distances, and their losses are scaled as if all had been computed.
   */
  readonly maskBoxes?: number;
  /** Number of parts in which a batch is computed side by side. Default 1. */
  readonly parts?: number | undefined;
  /** Elements of gradients from which the backward program is divided into pieces (`backwardPieces`). */
  readonly minDividedElements?: number | undefined;
  /** Elements of a table from which its gradient is that of the rows that a batch reads; by default it is dense. */
  readonly minTableElements?: number | undefined;
}

/** Elements of gradients up to which a batch may be divided. */
const MAX_DIVIDED_ELEMENTS = 2 ** 24;

/** Inputs of a step. */
interface RunInputs {
  readonly batch: TrainBatch;
  readonly parameters: ReadonlyMap<string, HostTensor>;
  readonly numBoxes: number;
  readonly seed: number;
  readonly onGradients: ((gradients: ReadonlyMap<string, HostTensor>) => void) | undefined;
}

/** The programs of a training step, loaded: forward, matching on the host, losses, backward. */
export class TrainStep implements DifferentiableStep {
  private constructor(
    private readonly config: LossConfig,
    private readonly step: StepPrograms,
    private programs: DividedPrograms,
    private readonly loadPrograms: (parts: number) => Promise<DividedPrograms>,
    private readonly concurrency: number,
    private readonly loss: LossProgram & { readonly session: Session },
    private readonly masks: MaskStep | undefined,
  ) {}

  static async load(
    model: MdetrNetwork,
    config: LossConfig,
    runtime: Runtime,
    options: TrainStepOptions,
  ): Promise<TrainStep> {
    const { step, loss, masks } = tracePrograms(model, config, options);
    const { parts = 1, minDividedElements } = options;
    const read = readOutputs(step, loss, masks);
    const load = (count: number): Promise<DividedPrograms> =>
      DividedPrograms.load(step, runtime, read, { parts: count, minDividedElements });
    const programs = await load(parts);
    const session = await runtime.load(loss.program, { deviceOutputs: loss.trainedOutputs.map(cotangentName) });
    const maskStep = masks && (await MaskStep.load(masks, runtime, config.num_queries, options.maskBoxes ?? 0));
    const { concurrency = 1 } = runtime;
    return new TrainStep(config, step, programs, load, concurrency, { ...loss, session }, maskStep);
  }

  get parts(): number {
    return this.programs.parts;
  }

  async chooseParts(
    batch: TrainBatch,
    parameters: ReadonlyMap<string, HostTensor>,
    communicator: Communicator,
  ): Promise<PartsChoice | undefined> {
    // Every part has gradients of its own.
    const elements = sumOf(this.step.trained.map((name) => parameters.get(name)!.data.length));
    const images = batch.inputs['padding']!.shape[0]!;
    const threads = elements > MAX_DIVIDED_ELEMENTS ? 0 : this.concurrency;
    const candidates = await candidateParts(threads, images, communicator);
    if (candidates.length === 0) return undefined;
    const loaded = new Map([[this.parts, this.programs]]);
    for (const parts of [1, ...candidates]) if (!loaded.has(parts)) loaded.set(parts, await this.loadPrograms(parts));
    const numBoxes = boxNormalizer(sumOf(batch.targets.boxCounts));
    const measure = async (parts: number): Promise<number> => {
      this.programs = loaded.get(parts)!;
      const clock = stopwatch();
      const { release } = await this.run(batch, parameters, numBoxes, 0);
      release();
      return clock();
    };
    const choice = await chooseParts(candidates, measure, communicator);
    this.programs = loaded.get(choice.parts)!;
    for (const programs of loaded.values()) if (programs !== this.programs) await programs.dispose();
    return choice;
  }

  get trained(): readonly string[] {
    return [...new Set([...this.step.trained, ...(this.masks?.trained ?? [])])];
  }

  async run(
    batch: TrainBatch,
    parameters: ReadonlyMap<string, HostTensor>,
    numBoxes: number,
    seed: number,
    onGradients?: (gradients: ReadonlyMap<string, HostTensor>) => void,
  ): Promise<StepResult> {
    // Residuals and cotangents go from program to program; only what the host needs is read.
    const [values, gradients] = [new ValueScope(), new ValueScope()];
    try {
      return await this.runIn(values, gradients, { batch, parameters, numBoxes, seed, onGradients });
    } catch (error) {
      gradients.release();
      throw error;
    } finally {
      values.release();
    }
  }

  /**
   * @param values keeps outputs, residuals and cotangents alive
   * @param gradientValues keeps the gradients alive
   */
  private async runIn(
    values: ValueScope,
    gradientValues: ValueScope,
    { batch, parameters, numBoxes, seed, onGradients }: RunInputs,
  ): Promise<StepResult> {
    const { config, programs, loss } = this;
    const timing: StepTiming = { forwardMs: 0, matchingMs: 0, lossMs: 0, backwardMs: 0 };
    const clock = stopwatch();
    // Auxiliary losses read boxes and tokens before anything is matched.
    const inputs: Feeds = { ...batch.inputs, ...batch.targets.inputs };
    const forward = await programs.forward(inputs, seed, parameters, values);
    const { outputs } = forward;
    timing.forwardMs = clock();

    const matches = hasDetectionLosses(config)
      ? matchLayers(await readTensors(outputs, ['pred_probabilities', 'pred_boxes']), batch.targets, config)
      : undefined;
    const targets =
      matches === undefined ? batch.targets.inputs : lossInputs(batch.targets, matches, config.num_queries, numBoxes);
    timing.matchingMs = clock();

    const lossResults = values.keep(await loss.session.compute(feedsFor(loss.program, [outputs, targets], parameters)));
    const losses = readLosses(await readTensors(lossResults, ['total', 'terms']), loss.termNames);
    const cotangents: Record<string, HostTensor | DeviceTensor> = auxiliaryCotangents(this.step, forward.scalars);
    for (const name of loss.trainedOutputs) cotangents[cotangentName(name)] = lossResults[cotangentName(name)]!;
    const gradients = new Map<string, HostTensor>();
    const terms: Record<string, number> = { ...losses.terms };
    let { total } = losses;
    const add = (name: string, value: number, weight: number): void => {
      terms[name] = value;
      total += value * weight;
    };
    for (const { name, value, weight } of auxiliaryTerms(this.step, forward.scalars)) add(name, value, weight);
    if (this.masks !== undefined && matches !== undefined) {
      const { boxCounts } = batch.targets;
      const imageIndex = batch.inputs['image_index']!.data as Int32Array;
      const stepInputs = { matches, boxCounts, imageIndex, outputs, targets, parameters, numBoxes };
      const masks = await this.masks.run(stepInputs, gradientValues);
      Object.assign(cotangents, masks.cotangents);
      for (const [name, gradient] of masks.gradients) gradients.set(name, gradient);
      for (const { name, value, weight } of masks.terms) add(name, value, weight);
    }
    timing.lossMs = clock();
    requireFinite(total, terms, batch.ids);

    onGradients?.(gradients);
    const backward = await programs.backward(forward, cotangents, parameters, { values, gradientValues }, onGradients);
    for (const [name, gradient] of backward.gradients) gradients.set(name, gradient);
    timing.backwardMs = clock();
    const { tables } = backward;
    return { total, terms, gradients, tables, matches, timing, release: () => gradientValues.release() };
  }

  async dispose(): Promise<void> {
    await Promise.all([this.programs.dispose(), this.loss.session.dispose(), this.masks?.dispose()]);
  }
}

/** Outputs of the forward program that matching, losses and masks read. */
const readOutputs = (
  { forward }: StepPrograms,
  loss: LossProgram,
  masks: MaskProgram | undefined,
): readonly string[] => {
  const read = new Set([...loss.program.inputs, ...(masks?.program.inputs ?? [])].map(({ name }) => name));
  for (const name of ['pred_probabilities', 'pred_boxes']) read.add(name);
  return Object.keys(forward.outputs).filter((name) => read.has(name));
};

/** Traces the programs of a step. Gradients flow from the outputs that a loss reads only. */
const tracePrograms = (
  model: MdetrNetwork,
  config: LossConfig,
  options: TrainStepOptions,
): { step: StepPrograms; loss: LossProgram; masks: MaskProgram | undefined } => {
  const losses = activeLosses(config);
  // With both coefficients at 0 the mask head is not trained: a training stage may leave masks to another.
  const masks = losses.includes(masksLoss)
    ? traceMaskProgram(model, masksLoss.weight(config), options.isTrainable)
    : undefined;
  const trace = { ...options, hasMatching: hasDetectionLosses(config) };
  const probe = traceStep(model, { ...trace, usesOutput: () => false });
  const shapes = Object.fromEntries(
    Object.entries(probe.forward.outputs).map(([name, tensor]) => [name, tensor.shape]),
  );
  const loss = makeLossProgram(
    config,
    shapes,
    losses.filter((other) => other !== masksLoss),
  );
  const read = new Set([...loss.trainedOutputs, ...(masks?.differentiable ?? [])]);
  return { step: traceStep(model, { ...trace, usesOutput: (name) => read.has(name) }), loss, masks };
};

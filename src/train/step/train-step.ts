import type { HostTensor } from '../../engine/graph/index.ts';
import type { DeviceTensor, Feeds, Runtime, Session } from '../../engine/runtime/runtime.ts';
import { ValueScope } from '../../engine/runtime/value-scope.ts';
import {
  activeLosses,
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
import { sumRowGradients, type RowGradient } from '../optimizer/row-gradient.ts';
import type { TrainBatch } from '../data/train-batch.ts';
import {
  requireFinite,
  stopwatch,
  type DifferentiableStep,
  type StepResult,
  type StepTiming,
} from './differentiable-step.ts';
import { feedsFor, readScalar, readTensors } from './feeds.ts';
import { traceMaskProgram, type MaskProgram } from './mask-program.ts';
import { MaskStep } from './mask-step.ts';
import { cotangentName, isCotangentName, rowIndicesName, valueName } from './names.ts';
import { backwardPieces, traceStep, type StepPrograms } from './step-programs.ts';

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
  /** Elements of gradients from which the backward program is divided into pieces (`backwardPieces`). */
  readonly minDividedElements?: number | undefined;
  /** Elements of a table from which its gradient is that of the rows that a batch reads; by default it is dense. */
  readonly minTableElements?: number | undefined;
}

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
    private readonly programs: StepPrograms,
    private readonly loss: LossProgram,
    private readonly masks: MaskStep | undefined,
    private readonly sessions: {
      readonly forward: Session;
      readonly loss: Session;
      /** Pieces of the backward program; none when the detector is frozen and only masks are trained. */
      readonly backward: readonly Session[];
    },
  ) {}

  static async load(
    model: MdetrNetwork,
    config: LossConfig,
    runtime: Runtime,
    options: TrainStepOptions,
  ): Promise<TrainStep> {
    const { step, loss, masks } = tracePrograms(model, config, options);
    const rowIndices = new Set(step.tables.map(rowIndicesName));
    const sessions = {
      forward: await runtime.load(step.forward, { deviceOutputs: step.residuals }),
      loss: await runtime.load(loss.program, { deviceOutputs: loss.trainedOutputs.map(cotangentName) }),
      backward: [] as Session[],
    };
    for (const piece of backwardPieces(step, options.minDividedElements)) {
      const handedOn = Object.keys(piece.outputs).filter((name) => !isCotangentName(name) && !rowIndices.has(name));
      sessions.backward.push(await runtime.load(piece, { deviceOutputs: handedOn }));
    }
    const maskStep = masks && (await MaskStep.load(masks, runtime, config.num_queries, options.maskBoxes ?? 0));
    return new TrainStep(config, step, loss, maskStep, sessions);
  }

  get trained(): readonly string[] {
    return [...new Set([...this.programs.trained, ...(this.masks?.trained ?? [])])];
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
    const { config, programs, sessions } = this;
    const timing: StepTiming = { forwardMs: 0, matchingMs: 0, lossMs: 0, backwardMs: 0 };
    const clock = stopwatch();
    const inputs: Feeds = {
      ...batch.inputs,
      // Auxiliary losses read boxes and tokens before anything is matched.
      ...batch.targets.inputs,
      dropout_seed: { dtype: 'uint32', shape: [], data: Uint32Array.of(seed) },
    };

    const outputs = values.keep(await sessions.forward.compute(feedsFor(programs.forward, [inputs], parameters)));
    timing.forwardMs = clock();

    const matches = hasDetectionLosses(config)
      ? matchLayers(await readTensors(outputs, ['pred_logits', 'pred_boxes']), batch.targets, config)
      : undefined;
    const targets =
      matches === undefined ? batch.targets.inputs : lossInputs(batch.targets, matches, config.num_queries, numBoxes);
    timing.matchingMs = clock();

    const lossResults = values.keep(
      await sessions.loss.compute(feedsFor(this.loss.program, [outputs, targets], parameters)),
    );
    const losses = readLosses(await readTensors(lossResults, ['total', 'terms']), this.loss.termNames);
    const cotangents: Record<string, DeviceTensor> = {};
    for (const name of this.loss.trainedOutputs) cotangents[cotangentName(name)] = lossResults[cotangentName(name)]!;
    const gradients = new Map<string, HostTensor>();
    const terms: Record<string, number> = { ...losses.terms };
    let { total } = losses;
    const add = (name: string, value: number, weight: number): void => {
      terms[name] = value;
      total += value * weight;
    };
    for (const { name, weight } of programs.auxiliary) add(name, await readScalar(outputs, name), weight);
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
    const handedOn: Record<string, DeviceTensor> = {};
    const found = new Map<string, HostTensor>();
    const tables = new Map<string, RowGradient>();
    for (const [index, session] of sessions.backward.entries()) {
      const feeds = feedsFor(session.program, [inputs, outputs, cotangents, handedOn], parameters);
      const results = await session.compute(feeds);
      const ready = new Map<string, HostTensor>();
      for (const [name, value] of Object.entries(results)) {
        const isGradient = isCotangentName(name);
        (isGradient ? gradientValues : values).keep({ value });
        if (isGradient) ready.set(valueName(name), await value.read());
        else handedOn[name] = value;
      }
      for (const name of programs.tables) {
        const [indices, rows] = [results[rowIndicesName(name)], ready.get(name)];
        if (indices === undefined || rows === undefined) continue;
        ready.delete(name);
        const { data } = (await indices.read()) as HostTensor & { readonly data: Int32Array };
        tables.set(name, sumRowGradients([{ indices: data, values: rows.data as Float32Array }]));
      }
      for (const [name, gradient] of ready) found.set(name, gradient);
      onGradients?.(ready);
      releaseUnread([outputs, cotangents, handedOn], sessions.backward.slice(index + 1));
    }
    for (const name of programs.trained) if (!tables.has(name)) gradients.set(name, found.get(name)!);
    timing.backwardMs = clock();
    return { total, terms, gradients, tables, matches, timing, release: () => gradientValues.release() };
  }

  async dispose(): Promise<void> {
    const { forward, loss, backward } = this.sessions;
    await Promise.all([forward, loss, ...backward].map((session) => session.dispose()));
    await this.masks?.dispose();
  }
}

/** Releases values that no session reads. */
const releaseUnread = (
  values: readonly Readonly<Record<string, DeviceTensor>>[],
  sessions: readonly Session[],
): void => {
  const read = new Set(sessions.flatMap(({ program }) => program.inputs.map(({ name }) => name)));
  for (const [name, value] of values.flatMap((source) => Object.entries(source))) if (!read.has(name)) value.release();
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
  const probe = traceStep(model, { ...options, usesOutput: () => false });
  const shapes = Object.fromEntries(
    Object.entries(probe.forward.outputs).map(([name, tensor]) => [name, tensor.shape]),
  );
  const loss = makeLossProgram(
    config,
    shapes,
    losses.filter((other) => other !== masksLoss),
  );
  const read = new Set([...loss.trainedOutputs, ...(masks?.differentiable ?? [])]);
  return { step: traceStep(model, { ...options, usesOutput: (name) => read.has(name) }), loss, masks };
};

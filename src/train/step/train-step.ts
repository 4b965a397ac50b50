import { performance } from 'node:perf_hooks';
import { MdetrError } from '../../errors.ts';
import { float32Tensor, int32Tensor, type HostTensor } from '../../engine/graph/index.ts';
import { leafName, type Program } from '../../engine/graph/program.ts';
import {
  hasDetectionLosses,
  lossInputs,
  activeLosses,
  makeLossProgram,
  masksLoss,
  matchLayers,
  readLosses,
  type LayerMatches,
  type LossConfig,
  type LossProgram,
  type BatchTargets,
} from '../../losses/index.ts';
import type { Mdetr } from '../../models/index.ts';
import type { DeviceTensor, Feeds, Runtime, Session, Values } from '../../engine/runtime/runtime.ts';
import { ValueScope } from '../../engine/runtime/value-scope.ts';
import type { TrainBatch } from '../data/train-batch.ts';
import type { AuxiliaryHeads } from '../auxiliary/auxiliary-heads.ts';
import { traceMaskStep, type MaskStep } from './mask-program.ts';
import { cotangentName } from './names.ts';
import { traceStep, type StepPrograms } from './step-programs.ts';

export interface StepTiming {
  forwardMs: number;
  matchingMs: number;
  lossMs: number;
  backwardMs: number;
}

/** Losses of one batch, and the gradient of their weighted sum for every parameter that they reach. */
export interface StepResult {
  readonly total: number;
  /** Every loss and accuracy by its official name, un-weighted. */
  readonly terms: Readonly<Record<string, number>>;
  /** By parameter name. Parameters that no loss reaches are missing: PyTorch's `grad is None`. */
  readonly gradients: ReadonlyMap<string, HostTensor>;
  readonly matches: LayerMatches | undefined;
  readonly timing: StepTiming;
  /** Gives the memory of the gradients back; their arrays must not be looked at afterwards. */
  release(): void;
}

export interface TrainStepOptions {
  readonly isTrainable: (name: string) => boolean;
  /** Off: evaluation mode, as the reference numbers were computed in. */
  readonly dropout: boolean;
  /** Heads that only training has; their losses are added to the criterion's. */
  readonly auxiliary?: AuxiliaryHeads;
  /** Masks are trained on at most so many of a batch's boxes, evenly chosen, each counting accordingly more; 0: all. */
  readonly maskBoxes?: number;
}

/** Losses of a batch and their gradients: what the trainer needs to know of a network. */
export interface DifferentiableStep {
  /** Names of the parameters that get a gradient. */
  readonly trained: readonly string[];
  /**
   * @param parameters every entry that the programs read, by name
   * @param numBoxes what sums over boxes are divided by (`boxNormaliser`)
   * @param seed of dropout, a uint32
   * @throws {MdetrError} naming ids and terms when the loss is not finite
   */
  run(
    batch: TrainBatch,
    parameters: ReadonlyMap<string, HostTensor>,
    numBoxes: number,
    seed: number,
  ): Promise<StepResult>;
  dispose(): Promise<void>;
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
      readonly backward: Session | undefined;
      readonly masks: Session | undefined;
    },
    private readonly maskBoxes: number,
  ) {}

  static async load(model: Mdetr, config: LossConfig, runtime: Runtime, options: TrainStepOptions): Promise<TrainStep> {
    const programs = traceTrained(model, config, options);
    const { forward } = programs.step;
    const sessions = {
      forward: await runtime.load(forward),
      loss: await runtime.load(programs.loss.program),
      // Nothing to do where the detector is frozen and only masks are trained.
      backward: programs.step.trained.length === 0 ? undefined : await runtime.load(programs.step.backward),
      masks: programs.masks === undefined ? undefined : await runtime.load(programs.masks.program),
    };
    return new TrainStep(config, programs.step, programs.loss, programs.masks, sessions, options.maskBoxes ?? 0);
  }

  /** Names of the parameters that get a gradient. */
  get trained(): readonly string[] {
    return [...new Set([...this.programs.trained, ...(this.masks?.trained ?? [])])];
  }

  async run(
    batch: TrainBatch,
    parameters: ReadonlyMap<string, HostTensor>,
    numBoxes: number,
    seed: number,
  ): Promise<StepResult> {
    // Residuals and cotangents go from program to program; only what the host works with is read.
    const [values, gradients] = [new ValueScope(), new ValueScope()];
    try {
      return await this.runIn(values, gradients, batch, parameters, numBoxes, seed);
    } catch (error) {
      gradients.release();
      throw error;
    } finally {
      values.release();
    }
  }

  private async runIn(
    values: ValueScope,
    gradientValues: ValueScope,
    batch: TrainBatch,
    parameters: ReadonlyMap<string, HostTensor>,
    numBoxes: number,
    seed: number,
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
      ? matchLayers(await readAll(outputs, ['pred_logits', 'pred_boxes']), batch.targets, config)
      : undefined;
    const targetInputs =
      matches === undefined ? batch.targets.inputs : lossInputs(batch.targets, matches, config.num_queries, numBoxes);
    timing.matchingMs = clock();

    const lossResults = values.keep(
      await sessions.loss.compute(feedsFor(this.loss.program, [outputs, targetInputs], parameters)),
    );
    const losses = readLosses(await readAll(lossResults, ['total', 'terms']), this.loss.termNames);
    const cotangents: Record<string, DeviceTensor> = {};
    for (const name of this.loss.trainedOutputs) cotangents[cotangentName(name)] = lossResults[cotangentName(name)]!;
    const gradients = new Map<string, HostTensor>();
    const terms: Record<string, number> = { ...losses.terms };
    let { total } = losses;
    for (const { name, weight } of programs.auxiliary) {
      terms[name] = await readNumber(outputs, name);
      total += terms[name] * weight;
    }
    if (this.masks !== undefined && sessions.masks !== undefined && matches !== undefined) {
      const pairs = maskPairs(matches, batch.targets, config.num_queries);
      const chosen = evenly(pairs, this.maskBoxes);
      // As if the boxes that were left out had the same losses.
      const divisor = float32Tensor([], [(numBoxes * chosen.length) / Math.max(1, pairs.length) || 1]);
      const maskResults = await sessions.masks.compute(
        feedsFor(
          this.masks.program,
          [
            { num_boxes: divisor },
            outputs,
            targetInputs,
            maskInputs(chosen, batch.inputs['image_index']!.data as Int32Array),
          ],
          parameters,
        ),
      );
      gradientValues.keep(maskResults);
      for (const name of this.masks.differentiable) cotangents[cotangentName(name)] = maskResults[cotangentName(name)]!;
      for (const name of this.masks.trained) gradients.set(name, await maskResults[cotangentName(name)]!.read());
      for (const [name, weight] of Object.entries(this.masks.weights)) {
        terms[name] = await readNumber(maskResults, name);
        total += terms[name] * weight;
      }
    }
    timing.lossMs = clock();
    requireFinite(total, terms, batch.ids);

    if (sessions.backward !== undefined) {
      const backward = gradientValues.keep(
        await sessions.backward.compute(feedsFor(programs.backward, [inputs, outputs, cotangents], parameters)),
      );
      for (const name of programs.trained) gradients.set(name, await backward[cotangentName(name)]!.read());
    }
    timing.backwardMs = clock();
    return { total, terms, gradients, matches, timing, release: () => gradientValues.release() };
  }

  async dispose(): Promise<void> {
    const { forward, loss, backward, masks } = this.sessions;
    await Promise.all([forward.dispose(), loss.dispose(), backward?.dispose(), masks?.dispose()]);
  }
}

/** Traces what the config trains: which outputs a loss reads decides where gradients flow. */
const traceTrained = (
  model: Mdetr,
  config: LossConfig,
  options: TrainStepOptions,
): { step: StepPrograms; loss: LossProgram; masks: MaskStep | undefined } => {
  const losses = activeLosses(config);
  // With both coefficients at 0 the mask head is not trained: a training stage may leave masks to another.
  const masks = losses.includes(masksLoss)
    ? traceMaskStep(model, masksLoss.weight(config), options.isTrainable)
    : undefined;
  const probe = traceStep(model, { ...options, usesOutput: () => false });
  const shapes = Object.fromEntries(
    Object.entries(probe.forward.outputs).map(([name, tensor]) => [name, tensor.shape]),
  );
  // Masks have a program of their own.
  const others = losses.filter((loss) => loss !== masksLoss);
  const loss = makeLossProgram(config, shapes, others);
  const read = new Set([...loss.trainedOutputs, ...(masks?.differentiable ?? [])]);
  return { step: traceStep(model, { ...options, usesOutput: (name) => read.has(name) }), loss, masks };
};

/** Inputs and parameters of a program, picked by name from what there is. */
export const feedsFor = (
  program: Program,
  sources: readonly Values[],
  parameters: ReadonlyMap<string, HostTensor>,
): Values => {
  const feeds: Record<string, HostTensor | DeviceTensor> = {};
  for (const { name } of program.inputs) {
    const value = sources.find((source) => source[name] !== undefined)?.[name];
    if (value === undefined)
      throw new MdetrError(`training step "${program.name}" needs "${name}", which the data do not give`);
    feeds[name] = value;
  }
  for (const tensor of program.parameters) {
    const name = leafName(tensor);
    const value = parameters.get(name);
    if (value === undefined) throw new Error(`internal: no value for parameter "${name}"`);
    feeds[name] = value;
  }
  return feeds;
};

const readAll = async <Name extends string>(
  results: Readonly<Record<string, DeviceTensor>>,
  names: readonly Name[],
): Promise<Record<Name, HostTensor>> =>
  Object.fromEntries(
    await Promise.all(names.map(async (name) => [name, await results[name]!.read()] as const)),
  ) as Record<Name, HostTensor>;

export const readNumber = async (results: Readonly<Record<string, DeviceTensor>>, name: string): Promise<number> =>
  Number((await results[name]!.read()).data[0]);

/** A query of the batch, its sample, and the box of the batch that it is matched with. */
interface MaskPair {
  readonly query: number;
  readonly sample: number;
  readonly box: number;
}

/** The last layer's pairs. */
const maskPairs = (matches: LayerMatches, targets: BatchTargets, queries: number): readonly MaskPair[] => {
  let firstBox = 0;
  return matches.at(-1)!.flatMap((match, sample) => {
    const start = firstBox;
    firstBox += targets.boxCounts[sample]!;
    return Array.from(match.queries, (query, k) => ({
      query: sample * queries + query,
      sample,
      box: start + match.targets[k]!,
    }));
  });
};

/** At most so many of a list, at even distances; 0 means all. */
const evenly = <T>(list: readonly T[], most: number): readonly T[] =>
  most === 0 || list.length <= most
    ? list
    : Array.from({ length: most }, (_, k) => list[Math.floor(((k + 0.5) * list.length) / most)]!);

const maskInputs = (pairs: readonly MaskPair[], imageIndex: Int32Array): Record<string, HostTensor> => ({
  mask_images: int32Tensor(
    [pairs.length],
    pairs.map(({ sample }) => imageIndex[sample]!),
  ),
  mask_queries: int32Tensor(
    [pairs.length],
    pairs.map(({ query }) => query),
  ),
  mask_samples: int32Tensor(
    [pairs.length],
    pairs.map(({ sample }) => sample),
  ),
  mask_targets: int32Tensor(
    [pairs.length],
    pairs.map(({ box }) => box),
  ),
});

/** Throws `MdetrError` naming ids and terms. */
export const requireFinite = (total: number, terms: Readonly<Record<string, number>>, ids: readonly string[]): void => {
  if (Number.isFinite(total)) return;
  const broken = Object.entries(terms)
    .filter(([, value]) => !Number.isFinite(value))
    .map(([name, value]) => `${name} = ${value}`);
  throw new MdetrError(`the loss is not finite (${broken.join(', ')}) for the batch ${ids.join(', ')}`);
};

/** Milliseconds since the last call. */
export const stopwatch = (): (() => number) => {
  let last = performance.now();
  return () => {
    const now = performance.now();
    const elapsed = now - last;
    last = now;
    return elapsed;
  };
};

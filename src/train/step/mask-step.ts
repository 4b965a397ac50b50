import { float32Tensor, int32Tensor, type HostTensor } from '../../engine/graph/index.ts';
import type { DeviceTensor, Runtime, SessionOf, Values } from '../../engine/runtime/runtime.ts';
import type { ValueScope } from '../../engine/runtime/value-scope.ts';
import type { LayerMatches } from '../../losses/index.ts';
import { feedsFor, readScalar } from './feeds.ts';
import type { MaskProgram } from './mask-program.ts';
import { cotangentName } from './names.ts';

/** Values of a training step that mask losses are computed from. */
export interface MaskStepInputs {
  readonly matches: LayerMatches;
  /** Number of boxes of each sample. */
  readonly boxCounts: readonly number[];
  /** (B) index of each caption's image. */
  readonly imageIndex: Int32Array;
  /** Outputs of the forward program. */
  readonly outputs: Values;
  /** Inputs of the loss program. */
  readonly targets: Values;
  readonly parameters: ReadonlyMap<string, HostTensor>;
  readonly numBoxes: number;
}

/** Outcome of the mask part of a step. */
export interface MaskStepResult {
  /** Unweighted losses with their weights in the total. */
  readonly terms: readonly { readonly name: string; readonly value: number; readonly weight: number }[];
  /** Cotangents of the forward program's outputs, by `cotangentName`. */
  readonly cotangents: Readonly<Record<string, DeviceTensor>>;
  /** Gradients by parameter name. */
  readonly gradients: ReadonlyMap<string, HostTensor>;
}

/** The segmentation part of a training step, loaded. It runs between matching and the backward pass. */
export class MaskStep {
  private constructor(
    private readonly masks: MaskProgram,
    private readonly session: SessionOf<MaskProgram['program']>,
    private readonly queries: number,
    private readonly maxBoxes: number,
  ) {}

  /**
   * @param queries Q, the number of queries of a sample
   * @param maxBoxes maximum number of boxes of a batch whose masks are trained; 0 for all
   */
  static async load(masks: MaskProgram, runtime: Runtime, queries: number, maxBoxes: number): Promise<MaskStep> {
    return new MaskStep(masks, await runtime.load(masks.program), queries, maxBoxes);
  }

  /** Names of the parameters that get a gradient. */
  get trained(): readonly string[] {
    return this.masks.trained;
  }

  /** @param scope keeps the results alive until it is released */
  async run(inputs: MaskStepInputs, scope: ValueScope): Promise<MaskStepResult> {
    const { masks, session, queries, maxBoxes } = this;
    const { matches, boxCounts, imageIndex, outputs, targets, parameters, numBoxes } = inputs;
    const pairs = maskPairs(matches, boxCounts, queries);
    const chosen = evenlySpaced(pairs, maxBoxes);
    // The boxes that were left out count as if they had the mean loss of the others.
    const divisor = float32Tensor([], [(numBoxes * chosen.length) / Math.max(1, pairs.length) || 1]);
    const sources = [{ num_boxes: divisor }, outputs, targets, pairInputs(chosen, imageIndex)];
    const results = scope.keep(await session.compute(feedsFor(masks.program, sources, parameters)));
    const gradients = new Map<string, HostTensor>();
    for (const name of masks.trained) gradients.set(name, await results[cotangentName(name)]!.read());
    const terms: { name: string; value: number; weight: number }[] = [];
    for (const [name, weight] of Object.entries(masks.weights))
      terms.push({ name, value: await readScalar(results, name), weight });
    const cotangents = masks.differentiable.map(cotangentName).map((name) => [name, results[name]!] as const);
    return { terms, cotangents: Object.fromEntries(cotangents), gradients };
  }

  dispose(): Promise<void> {
    return this.session.dispose();
  }
}

/** Index of a query in the batch, its sample, and the index of its box in the batch. */
interface MaskPair {
  readonly query: number;
  readonly sample: number;
  readonly box: number;
}

/** The matched pairs of the last decoder layer. */
const maskPairs = (matches: LayerMatches, boxCounts: readonly number[], queries: number): readonly MaskPair[] => {
  let firstBox = 0;
  return matches.at(-1)!.flatMap((match, sample) => {
    const start = firstBox;
    firstBox += boxCounts[sample]!;
    return Array.from(match.queries, (query, k) => ({
      query: sample * queries + query,
      sample,
      box: start + match.targets[k]!,
    }));
  });
};

/** At most `max` entries of a list at equal distances; 0 for all. */
const evenlySpaced = <T>(list: readonly T[], max: number): readonly T[] =>
  max === 0 || list.length <= max
    ? list
    : Array.from({ length: max }, (_, k) => list[Math.floor(((k + 0.5) * list.length) / max)]!);

const pairInputs = (pairs: readonly MaskPair[], imageIndex: Int32Array): Record<string, HostTensor> => {
  const tensor = (valueOf: (pair: MaskPair) => number): HostTensor => int32Tensor([pairs.length], pairs.map(valueOf));
  return {
    mask_images: tensor(({ sample }) => imageIndex[sample]!),
    mask_queries: tensor(({ query }) => query),
    mask_samples: tensor(({ sample }) => sample),
    mask_targets: tensor(({ box }) => box),
  };
};

import { input, type Tensor } from '../../engine/graph/index.ts';
import type { ModelConfig } from '../../models/index.ts';
import { ParameterRegistry, Scope } from '../../nn/index.ts';
import type { AuxiliaryFeatures, AuxiliaryTerm, TargetInput } from './auxiliary-loss.ts';
import { activeAuxiliaryLosses } from './auxiliary-losses.ts';
import type { AuxiliaryConfig, OptimizerSettings } from '../config/run-settings.ts';

/**
 * First part of the names of auxiliary parameters. The name is stored in run states, whose parameters are found by name,
 * so it stays what it was when these losses had another name.
 */
const PARAMETER_PREFIX = 'helper';

/** Whether a parameter belongs to an auxiliary head. Such parameters are left out of model folders. */
export const isAuxiliary = (name: string): boolean => name.startsWith(`${PARAMETER_PREFIX}.`);

type Features = { readonly [Level in keyof AuxiliaryFeatures]: Omit<AuxiliaryFeatures[Level], 'target'> };
type Traces = {
  readonly [Level in keyof AuxiliaryFeatures]: ((features: AuxiliaryFeatures[Level]) => readonly AuxiliaryTerm[])[];
};

/**
 * Heads and losses that exist only in training: with them small networks learn from scratch in a fraction of the samples.
 * Their targets are the inputs of `auxiliaryInputs`, and `positive_map` and `target_boxes` of the criterion.
 */
export class AuxiliaryHeads {
  readonly registry = new ParameterRegistry();
  private readonly traces: Traces = { image: [], memory: [], answers: [] };

  private constructor() {}

  /**
   * The heads of the auxiliary losses that a config trains, or undefined when it trains none.
   *
   * @param channels channels of the backbone's last map
   */
  static of(config: ModelConfig & AuxiliaryConfig & OptimizerSettings, channels: number): AuxiliaryHeads | undefined {
    const losses = activeAuxiliaryLosses(config);
    if (losses.length === 0) return undefined;
    const heads = new AuxiliaryHeads();
    const scope = new Scope(heads.registry).at(PARAMETER_PREFIX);
    const network = { config, channels };
    for (const loss of losses) {
      const own = scope.at(loss.name);
      const weight = loss.weight(config);
      if (loss.level === 'image') heads.traces.image.push(loss.head(own, network, weight));
      else if (loss.level === 'memory') heads.traces.memory.push(loss.head(own, network, weight));
      else heads.traces.answers.push(loss.head(own, network, weight));
    }
    return heads;
  }

  /** Terms on the backbone's maps, for training the backbone alone. */
  imageTerms(features: Features['image']): readonly AuxiliaryTerm[] {
    return this.termsAt('image', { ...features, target: sharedInputs() });
  }

  /** Terms on the backbone's maps, the encoder's output and the decoder's question queries, in this order. */
  terms({ image, memory, answers }: Features): readonly AuxiliaryTerm[] {
    const target = sharedInputs();
    return [
      ...this.termsAt('image', { ...image, target }),
      ...this.termsAt('memory', { ...memory, target }),
      ...this.termsAt('answers', { ...answers, target }),
    ];
  }

  private termsAt<Level extends keyof AuxiliaryFeatures>(
    level: Level,
    features: AuxiliaryFeatures[Level],
  ): readonly AuxiliaryTerm[] {
    return this.traces[level].flatMap((trace) => trace(features));
  }
}

/** A program has every input once, however many heads read it. */
const sharedInputs = (): TargetInput => {
  const inputs = new Map<string, Tensor>();
  return (name, shape, dtype) => {
    const tensor = inputs.get(name) ?? input(name, shape, dtype);
    inputs.set(name, tensor);
    return tensor;
  };
};

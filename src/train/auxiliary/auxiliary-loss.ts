import type { DType, HostTensor, Shape, Tensor } from '../../engine/graph/index.ts';
import type { AnswerLayer, CellPredictions, EncoderCache, ImageFeatures, ModelConfig } from '../../models/index.ts';
import type { Scope } from '../../nn/index.ts';
import type { AuxiliaryBatch } from './auxiliary-batch.ts';
import type { AuxiliaryConfig } from '../config/run-settings.ts';

/**
 * A mean as its sum and its count, two scalars, so that it can be taken over a batch of which each program computes a part. The
 * count is that of targets: it has no gradient. A mean of nothing is 0.
 */
export interface Mean {
  readonly sum: Tensor;
  readonly count: Tensor;
}

/** A term of the total that is part of the forward program, since it needs no matching: the sum of some means. */
export interface AuxiliaryTerm {
  readonly name: string;
  readonly means: readonly Mean[];
  /** Weight in the total. */
  readonly weight: number;
}

/** Returns an input of the forward program. Heads that read the same target share one input. */
export type TargetInput = (name: string, shape: Shape, dtype?: DType) => Tensor;

/** Values at which auxiliary heads read the network. */
export interface AuxiliaryFeatures {
  readonly image: Pick<ImageFeatures, 'stages'> & { readonly target: TargetInput };
  readonly memory: {
    readonly cache: EncoderCache;
    /** (B, h, w), true on padding. */
    readonly padding: Tensor;
    /** (B) index of each caption's image. */
    readonly imageIndex: Tensor;
    /** Predictions of the network's encoder head, with `query_selection`. */
    readonly cells: CellPredictions | undefined;
    readonly target: TargetInput;
  };
  readonly answers: {
    /** Question queries of the decoder layers, each (B, n, D); empty without answer heads. */
    readonly layers: readonly AnswerLayer[];
    readonly cache: EncoderCache;
    readonly target: TargetInput;
  };
}

interface AuxiliaryDeclaration<Level extends keyof AuxiliaryFeatures> {
  /** Unique name; the parameters of the head are `helper.<name>.…`. */
  readonly name: string;
  /** Part of the network whose output the head reads. Heads at `image` can train the backbone alone (`objective: backbone`). */
  readonly level: Level;
  /** Weight of the loss; 0 turns it off. */
  weight(config: AuxiliaryConfig): number;
  /** Makes the layers of the head in a scope and returns what builds its terms. */
  head(
    scope: Scope,
    network: { readonly config: ModelConfig; readonly channels: number },
    weight: number,
  ): (features: AuxiliaryFeatures[Level]) => readonly AuxiliaryTerm[];
  /** Makes the inputs of the forward program that the terms read. */
  inputs(batch: AuxiliaryBatch): Readonly<Record<string, HostTensor>>;
}

export type ImageLoss = AuxiliaryDeclaration<'image'>;
export type MemoryLoss = AuxiliaryDeclaration<'memory'>;
export type AnswersLoss = AuxiliaryDeclaration<'answers'>;

/** An auxiliary loss: one file and one line in the table of `auxiliary-losses.ts`. */
export type AuxiliaryLoss = ImageLoss | MemoryLoss | AnswersLoss;

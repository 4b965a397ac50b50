import type { SessionOf } from '../engine/runtime/runtime.ts';
import type { MaskPredictor } from './mask-predictor.ts';
import type { InferencePrograms, TextResults } from './programs.ts';

/** The part of a network that runs once per image. */
export type ImageStage = Pick<SessionOf<InferencePrograms['image']>, 'run' | 'recycle' | 'dispose'>;

/** The part of a network that runs once per caption. */
export interface TextStage extends Pick<SessionOf<InferencePrograms['text']>, 'dispose'> {
  run(feeds: Parameters<SessionOf<InferencePrograms['text']>['run']>[0]): Promise<TextResults>;
  /** Gives the memory of results to later runs. Nothing may read them afterwards. */
  recycle?(results: TextResults): void;
}

/** The loaded parts of a network. */
export interface Stages {
  readonly image: ImageStage;
  readonly text: TextStage;
  /** Undefined for a model without segmentation head. */
  readonly masks: MaskPredictor | undefined;
}

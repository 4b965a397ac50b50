import { MdetrError } from '../../errors.ts';
import type { InferenceCore } from '../../inference/core.ts';
import type { ProblemName } from '../problems.ts';
import type { WorkerRequest } from './messages.ts';

/** Error of a request that the model cannot answer, with its kind. */
export class RequestRefused extends MdetrError {
  constructor(
    readonly problem: ProblemName,
    message: string,
  ) {
    super(message);
  }
}

/** Checks that need no image: heads of the model, and the length of the captions. */
export const checkTask = (core: InferenceCore, { task, model, texts, options }: WorkerRequest): void => {
  if (task === 'ask' && !core.source.config.do_qa)
    throw new RequestRefused('unsupported-task', `model "${model}" has no question heads`);
  if (options.masks === true && !core.hasMasks)
    throw new RequestRefused('unsupported-task', `model "${model}" has no segmentation head, so it predicts no masks`);
  for (const text of texts) {
    if (text.trim() === '') throw new RequestRefused('invalid-text', 'the text is empty; name the objects to find');
    try {
      core.source.tokenizer.encode(text, { truncation: options.truncation ?? 'error' });
    } catch (error) {
      if (error instanceof MdetrError) throw new RequestRefused('invalid-text', error.message);
      throw error;
    }
  }
};

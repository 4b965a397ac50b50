import { MdetrError } from '../../errors.ts';
import type { AnswerOutputs } from '../../postprocess/answers.ts';
import type { DetectionOutputs, ImageSize } from '../../postprocess/scored-boxes.ts';
import type { Encoding } from '../../text/index.ts';
import { tokenAtCharacter } from '../../text/tokenizer/encoding.ts';
import type { TextOutputs } from '../text-outputs.ts';
import type { SentOutputs } from './messages.ts';

/** Network outputs that were computed in another thread. */
export class RemoteOutputs implements TextOutputs {
  constructor(private readonly texts: readonly SentOutputs[]) {}

  detection(index: number): DetectionOutputs {
    return this.text(index).detection;
  }

  answers(index: number): AnswerOutputs {
    return this.text(index).answers;
  }

  encoding(index: number): Encoding {
    const { encoding } = this.text(index);
    return { ...encoding, charToToken: (char) => tokenAtCharacter(encoding.offsets, char) };
  }

  size(index: number): ImageSize {
    return this.text(index).size;
  }

  private text(index: number): SentOutputs {
    const text = this.texts[index];
    if (text === undefined) throw new MdetrError(`there are ${this.texts.length} captions, so none has index ${index}`);
    return text;
  }
}

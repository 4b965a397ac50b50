import type { AnswerOutputs } from '../postprocess/answers.ts';
import type { DetectionOutputs, ImageSize } from '../postprocess/scored-boxes.ts';
import type { HostTensor } from '../engine/graph/index.ts';
import type { Encoding } from '../text/index.ts';
import { rowOf, type EncodedImages } from './encoded-images.ts';
import type { PreparedImage } from './preprocess.ts';
import type { Timing } from './results.ts';

/** The network's numbers for a batch of texts, text by text. */
export class TextOutputs {
  constructor(
    private readonly values: Readonly<Record<string, HostTensor>>,
    readonly images: EncodedImages,
    private readonly rows: readonly { readonly image: number }[],
    private readonly encodings: readonly Encoding[],
    private readonly timing: Timing,
  ) {}

  detection(row: number): DetectionOutputs {
    return {
      logits: this.floats('pred_logits', row)!,
      boxes: this.floats('pred_boxes', row)!,
      isFinal: this.floats('pred_isfinal', row),
    };
  }

  /** Logits of the question heads; names as in the official code. */
  answers(row: number): AnswerOutputs {
    const names = Object.keys(this.values).filter((name) => name.startsWith('pred_answer'));
    return Object.fromEntries(names.map((name) => [name, this.floats(name, row)]));
  }

  encoding(row: number): Encoding {
    return this.encodings[row]!;
  }

  image(row: number): PreparedImage {
    return this.images.images[this.rows[row]!.image]!;
  }

  size(row: number): ImageSize {
    return this.image(row).original;
  }

  /** One text's row of an output, or one picture's row of its features. */
  tensor(name: string, row: number): HostTensor {
    const own = this.values[name];
    return own === undefined ? rowOf(this.images.features[name]!, this.rows[row]!.image) : rowOf(own, row);
  }

  about(
    row: number,
    postprocessMs: number,
  ): { width: number; height: number; warnings: readonly string[]; timingMs: Timing } {
    const { original, warnings } = this.image(row);
    return {
      width: original.width,
      height: original.height,
      warnings: [...warnings, ...this.encoding(row).warnings],
      timingMs: { ...this.timing, postprocess: postprocessMs },
    };
  }

  private floats(name: string, row: number): Float32Array | undefined {
    const value = this.values[name];
    return value === undefined ? undefined : (rowOf(value, row).data as Float32Array);
  }
}

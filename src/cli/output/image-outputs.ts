import { OutputRule } from '../../files/output-rule.ts';
import type { ImageList } from '../input/image-list.ts';
import type { ImageOptions } from '../options/image-options.ts';
import type { ModelOptions } from '../options/model-options.ts';
import { MaskFiles } from './mask-files.ts';
import { DrawingPaths } from './output-paths.ts';

/** Files that a command on images writes, checked before any work is done. */
export interface ImageOutputs {
  readonly drawings: DrawingPaths | undefined;
  readonly masks: MaskFiles | undefined;
  /** Checks further outputs of the call. */
  readonly rule: OutputRule;
}

/**
 * Plans the drawings of `--out` and the masks of `--masks-dir`.
 * @throws {UsageError} if a path does not suit the results, or would replace a file that the call may not replace
 */
export const planOutputs = async (
  list: Pick<ImageList, 'images' | 'files'>,
  captionCount: number,
  options: ImageOptions & ModelOptions & { readonly answers?: string | undefined },
  more?: readonly (string | undefined)[],
): Promise<ImageOutputs> => {
  const { out, masksDir, model, tokenizer, config, answers, overwrite } = options;
  const rule = new OutputRule({
    inputs: [...list.files, ...(more ?? []), model, tokenizer, config, answers],
    overwrite,
  });
  const images = list.images.map(({ name }) => name);
  return {
    rule,
    drawings: out === undefined ? undefined : await DrawingPaths.plan(out, images, captionCount, rule),
    masks: masksDir === undefined ? undefined : new MaskFiles(masksDir, images, captionCount, rule),
  };
};

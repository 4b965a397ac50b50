import type { DrawingContent } from '../../drawing/node/index.ts';
import { OutputRule } from '../../files/output-rule.ts';
import type { DetectedObject } from '../../results/types.ts';
import type { ImageList } from '../input/image-list.ts';
import type { DecodedImage } from '../input/image-reader.ts';
import type { ImageOptions } from '../options/image-options.ts';
import type { ModelOptions } from '../options/model-options.ts';
import { MaskFiles } from './mask-files.ts';
import { DrawingPaths } from './output-paths.ts';

/** Content of the drawing of a result; its masks are those of its detections. */
export interface OutputContent extends DrawingContent {
  readonly detections: readonly DetectedObject[];
}

/** Files that a command on images writes, checked before any work is done. */
export interface ImageOutputs {
  /** Checks further outputs of the call. */
  readonly rule: OutputRule;
  /** Writes the drawing and the masks of one result, if they are wanted. */
  write(image: DecodedImage, captionIndex: number, content: OutputContent): Promise<void>;
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
  const drawings = out === undefined ? undefined : await DrawingPaths.plan(out, images, captionCount, rule);
  const masks = masksDir === undefined ? undefined : new MaskFiles(masksDir, images, captionCount, rule);
  return {
    rule,
    async write({ name, raw }, captionIndex, content) {
      if (drawings !== undefined) {
        const { writeDrawing } = await import('../../drawing/node/index.ts');
        await writeDrawing(await drawings.pathFor(name, captionIndex), raw, content);
      }
      await masks?.write(name, captionIndex, content.detections);
    },
  };
};

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
  /** Paths of the drawings of the next image, for each caption. Called once for every image of the list, in its order. */
  drawingsOf(image: string): readonly string[];
  /** Writes the drawing and the masks of one result, if they are wanted. */
  write(image: DecodedImage, captionIndex: number, content: OutputContent): Promise<void>;
  /** Removes temporary files. */
  close(): void;
}

/** Whether the names of outputs follow from those of the images, so that a list is read before any work is done. */
export const needsWholeList = ({ out, masksDir }: ImageOptions): boolean => out !== undefined || masksDir !== undefined;

/**
 * Plans the drawings of `--out` and the masks of `--masks-dir`.
 * @throws {UsageError} if a path does not suit the results, or would replace a file that the call may not replace
 */
export const planOutputs = async (
  list: ImageList,
  captionCount: number,
  options: ImageOptions & ModelOptions & { readonly answers?: string | undefined },
  more?: readonly (string | undefined)[],
): Promise<ImageOutputs> => {
  const { out, masksDir, model, tokenizer, config, answers, overwrite } = options;
  const rule = new OutputRule({
    inputs: [...list.inputs, ...(more ?? []), model, tokenizer, config, answers],
    listed: list.listed,
    hasUnknownInputs: list.count === undefined,
    overwrite,
  });
  const images = { count: list.count ?? Infinity, names: () => namesOf(list) };
  const drawings = out === undefined ? undefined : await DrawingPaths.plan(out, images, captionCount, rule);
  const masks = masksDir === undefined ? undefined : await MaskFiles.plan(masksDir, images, captionCount, rule);
  await rule.checkListed();
  return {
    rule,
    drawingsOf: (image) => drawings?.next(image) ?? [],
    async write({ name, raw, drawings: paths }, captionIndex, content) {
      const path = paths[captionIndex];
      if (path !== undefined) {
        const { writeDrawing } = await import('../../drawing/node/index.ts');
        await drawings?.makeFolder();
        await writeDrawing(path, raw, content);
      }
      await masks?.write(name, captionIndex, content.detections);
    },
    close() {
      drawings?.close();
      masks?.close();
    },
  };
};

async function* namesOf(list: ImageList): AsyncGenerator<string> {
  for await (const images of list.chunks()) for (const { name } of images) yield name;
}

import { writeDrawing, type DrawingContent } from '../../drawing/node/index.ts';
import type { EncodedImage } from '../../inference/encoded-image.ts';
import type { DetectedObject, ResultBase } from '../../results/types.ts';
import { interruptible } from '../options/interrupt.ts';
import { MaskFiles } from '../output/mask-files.ts';
import { loadModel, type ModelOptions } from '../options/model-options.ts';
import { DrawingPaths } from '../output/output-paths.ts';
import { readImage, withDecoding, type ImageOptions } from '../options/image-options.ts';
import { note } from '../output/progress.ts';

export interface SingleImageOptions extends ModelOptions, ImageOptions {}

/** What a command does with an image and a text. */
interface Task<R extends ResultBase> {
  /** GQA's answer table, for models that need it. */
  readonly answers?: string | undefined;
  run(scene: EncodedImage, text: string): Promise<R>;
  json(result: R): Record<string, unknown>;
  text(result: R): string;
  /** What `--out` draws, and whose masks `--masks-dir` writes. */
  drawing(result: R): DrawingContent & { readonly detections: readonly DetectedObject[] };
}

/** Several texts about one picture, which goes through the backbone once. */
export const lookAtOne = async <R extends ResultBase>(
  image: string,
  texts: readonly string[],
  options: SingleImageOptions,
  task: Task<R>,
): Promise<void> => {
  const drawings = options.out === undefined ? undefined : await DrawingPaths.plan(options.out, [image], texts.length);
  const masks = options.masksDir === undefined ? undefined : new MaskFiles(options.masksDir, texts.length);
  const picture = await readImage(image, options);
  const model = await loadModel(options, { answers: task.answers });
  try {
    const scene = await model.encodeImage(picture.raw, { name: image });
    await interruptible(async (signal) => {
      for (const [index, text] of texts.entries()) {
        signal.throwIfAborted();
        const result = withDecoding({ ...(await task.run(scene, text)), captionIndex: index }, picture);
        result.warnings.forEach(note);
        const content = task.drawing(result);
        if (drawings !== undefined) await writeDrawing(await drawings.pathFor(image, index), picture.raw, content);
        await masks?.write(image, index, content.detections);
        process.stdout.write(options.json === true ? `${JSON.stringify(task.json(result))}\n` : task.text(result));
      }
    });
  } finally {
    await model.dispose();
  }
};

import { writeDrawing, type DrawingContent } from '../../drawing/node/index.ts';
import type { EncodedImage } from '../../inference/encoded-image.ts';
import type { DetectedObject, ResultBase } from '../../results/types.ts';
import { interruptible } from '../options/stop-signals.ts';
import { loadModel, type ModelOptions } from '../options/model-options.ts';
import { planOutputs } from '../output/image-outputs.ts';
import { readImage, completed, type ImageOptions } from '../options/image-options.ts';
import { note, print } from '../output/print.ts';

export interface SingleImageOptions extends ModelOptions, ImageOptions {}

/** One command for an image and captions: how it runs the model, prints a result and draws it. */
interface Task<R extends ResultBase> {
  /** Path of GQA's answer table, for models that need it. */
  readonly answers?: string | undefined;
  run(image: EncodedImage, caption: string): Promise<R>;
  json(result: R): Record<string, unknown>;
  text(result: R): string;
  /** Content of the drawing of `--out`; `--masks-dir` writes the masks of its detections. */
  drawing(result: R): DrawingContent & { readonly detections: readonly DetectedObject[] };
}

/** Runs a command with several captions on one image, which is encoded once. */
export const runOnImage = async <R extends ResultBase>(
  path: string,
  captions: readonly string[],
  options: SingleImageOptions,
  task: Task<R>,
): Promise<void> => {
  const { drawings, masks } = await planOutputs([path], captions.length, { ...options, answers: task.answers });
  const image = await readImage(path, options);
  const model = await loadModel(options, { answers: task.answers });
  try {
    const encoded = await model.encodeImage(image.raw, { name: path });
    await interruptible(async (signal) => {
      for (const [captionIndex, caption] of captions.entries()) {
        signal.throwIfAborted();
        const result = completed({ ...(await task.run(encoded, caption)), captionIndex }, image);
        result.warnings.forEach(note);
        const content = task.drawing(result);
        if (drawings !== undefined) await writeDrawing(await drawings.pathFor(path, captionIndex), image.raw, content);
        await masks?.write(path, captionIndex, content.detections);
        print(options.json === true ? `${JSON.stringify(task.json(result))}\n` : task.text(result));
      }
    });
  } finally {
    await model.dispose();
  }
};

import { writeDrawing, type DrawingContent } from '../../drawing/index.ts';
import type { EncodedImage } from '../../inference/node/mdetr.ts';
import type { DetectedObject, Timing } from '../../inference/results.ts';
import { interruptible } from '../options/interrupt.ts';
import { MaskFiles } from '../output/mask-files.ts';
import { loadModel, type ModelOptions } from '../options/model-options.ts';
import { DrawingPaths } from '../output/output-paths.ts';
import { readImage, withDecoding, type ImageOptions } from '../options/image-options.ts';
import { note } from '../output/progress.ts';

export interface SingleImageOptions extends ModelOptions, ImageOptions {}

interface AnyResult {
  readonly warnings: readonly string[];
  readonly timingMs: Timing;
}

/** What a command makes of a picture and a text. */
interface Task<R extends AnyResult> {
  /** GQA's answer table, for models that need it. */
  readonly answers?: string;
  run(scene: EncodedImage, text: string): Promise<R>;
  json(image: string, result: R): Record<string, unknown>;
  text(image: string, result: R): string;
  /** What `--out` draws, and whose masks `--masks-dir` writes. */
  drawing(result: R): DrawingContent & { readonly detections: readonly DetectedObject[] };
}

/** Several texts about one picture, which goes through the backbone once. */
export const lookAtOne = async <R extends AnyResult>(
  image: string,
  texts: readonly string[],
  options: SingleImageOptions,
  task: Task<R>,
): Promise<void> => {
  const drawings = options.out === undefined ? undefined : await DrawingPaths.plan(options.out, [image], texts.length);
  const masks = options.masksDir === undefined ? undefined : new MaskFiles(options.masksDir, texts.length);
  const picture = await readImage(image, options);
  const model = await loadModel(options, task.answers === undefined ? {} : { answers: task.answers });
  try {
    const scene = await model.encodeImage(picture.raw, { name: image });
    await interruptible(async (signal) => {
      for (const [index, text] of texts.entries()) {
        signal.throwIfAborted();
        const result = withDecoding(await task.run(scene, text), picture);
        result.warnings.forEach(note);
        const content = task.drawing(result);
        if (drawings !== undefined) await writeDrawing(await drawings.pathFor(image, index), picture.raw, content);
        await masks?.write(image, index, content.detections);
        process.stdout.write(
          options.json === true ? `${JSON.stringify(task.json(image, result))}\n` : task.text(image, result),
        );
      }
    });
  } finally {
    await model.dispose();
  }
};

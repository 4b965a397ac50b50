import type { EncodedImage } from '../../inference/encoded-image.ts';
import type { ResultBase } from '../../results/types.ts';
import { batchesOf } from './image-batches.ts';
import { ImageList } from './image-list.ts';
import type { MDETR } from '../../inference/node/mdetr.ts';
import { completed, ImageReader, type DecodedImage } from './image-reader.ts';
import { unlessAborted } from '../../threads/unless-aborted.ts';
import { interruptible } from '../options/stop-signals.ts';
import { ImageModels } from '../options/image-models.ts';
import type { ModelOptions } from '../options/model-options.ts';
import { needsWholeList, planOutputs, type OutputContent } from '../output/image-outputs.ts';
import { wantsMasks, type ImageOptions } from '../options/image-options.ts';
import { noteOnce, print } from '../output/print.ts';

/** Options of the commands that run on each image. */
export interface EachImageOptions extends ModelOptions, ImageOptions {}

/** One command that looks at images one by one: how it runs the model, prints a result and draws it. */
interface Task<R extends ResultBase> {
  /** Results that the command needs. */
  readonly needs: 'boxes' | 'answers';
  /** Path of GQA's answer table, for models that need it. */
  readonly answers?: string | undefined;
  run(image: EncodedImage, caption: string): Promise<R>;
  json(result: R): Record<string, unknown>;
  text(result: R): string;
  /** Content of the drawing of `--out`; `--masks-dir` writes the masks of its detections. */
  drawing(result: R): OutputContent;
}

/** Runs a command with several captions on images, each of which is encoded once. */
export const runOnImages = async <R extends ResultBase>(
  texts: readonly string[],
  captions: readonly string[],
  options: EachImageOptions,
  task: Task<R>,
): Promise<void> => {
  const list = await ImageList.open(texts, { ...options, isRepeated: needsWholeList(options) });
  try {
    await runOnList(list, captions, options, task);
  } finally {
    await list.close();
  }
};

const runOnList = async <R extends ResultBase>(
  list: ImageList,
  captions: readonly string[],
  options: EachImageOptions,
  task: Task<R>,
): Promise<void> => {
  const outputs = await planOutputs(list, captions.length, { ...options, answers: task.answers });
  const reader = new ImageReader(options, list.isBulk || options.skipBroken === true);
  const batches = batchesOf(list, 1, (image) => outputs.drawingsOf(image));
  const readNext = async () => {
    const batch = await batches.next();
    return batch.done === true ? undefined : reader.readAll(batch.value);
  };
  const models = new ImageModels(
    options,
    { answers: task.answers },
    task.needs === 'boxes' && wantsMasks(options) ? 'masks' : task.needs,
    1,
    list.count,
  );
  const warned = new Set<string>();
  const handle = async (image: DecodedImage, model: MDETR, signal: AbortSignal): Promise<void> => {
    const encoded = await model.encodeImage(image.raw, { name: image.name, maxPixels: options.maxPixels });
    for (const [captionIndex, caption] of captions.entries()) {
      signal.throwIfAborted();
      const result = completed({ ...(await task.run(encoded, caption)), captionIndex }, image);
      noteOnce(result.warnings, warned);
      await outputs.write(image, captionIndex, task.drawing(result));
      print(options.json === true ? `${JSON.stringify(task.json(result))}\n` : task.text(result));
    }
  };
  let total = 0;
  try {
    // The first image is read before the model, which takes longer to load: a wrong path is reported at once.
    const first = list.count === undefined ? undefined : Promise.resolve(await readNext());
    await interruptible(async (signal) => {
      for (let next = first; ; next = undefined) {
        const read = await unlessAborted(signal, () => next ?? readNext());
        if (read === undefined) break;
        total++;
        for (const { model, images } of await models.groupsOf(read))
          for (const image of await reader.checkSizes(images, model)) await handle(image, model, signal);
      }
    });
  } finally {
    outputs.close();
    await models.dispose();
  }
  reader.finish(total);
};

import { availableParallelism } from 'node:os';
import { prepareRuntime } from '../../engine/runtime/create-runtime.ts';
import { findPackageFile } from '../../files/package-folder.ts';
import type { FromPretrainedOptions } from '../../inference/node/load-options.ts';
import { kindOfDecodedImage } from '../../inference/image-domain.ts';
import type { MDETR } from '../../inference/node/mdetr.ts';
import { collectForLargeModel } from '../start/frugal-start.ts';
import type { DecodedImage } from '../input/image-reader.ts';
import { resizeAhead } from '../../inference/preprocess.ts';
import type { Preprocessing } from '../../model-folder/preprocessing.ts';
import { note } from '../output/print.ts';
import { loadModel, type ModelOptions } from './model-options.ts';

/** Embedded model for each kind of image. */
const MODEL_OF_KIND = { scene: 'default', photograph: 'photos' } as const;

const isEmbedded = (model: string): boolean => Object.values<string>(MODEL_OF_KIND).includes(model);

/** Results of a call. The model for photographs predicts boxes only. */
export type ImageTask = 'boxes' | 'masks' | 'answers';

/** Consecutive images with their model. */
export interface ImageGroup {
  readonly model: MDETR;
  readonly images: readonly DecodedImage[];
}

/**
 * The models of a command's images: the one that `--model` names, or else an embedded one for the kind of each image. A
 * model is loaded when the first image needs it, and stderr says when it is another one than the default. For masks and answers it is always the
 * one for scenes, which alone predicts them.
 */
export class ImageModels {
  private readonly loaded = new Map<string, Promise<MDETR>>();
  private hasChoice: boolean | undefined;

  constructor(
    private readonly options: ModelOptions,
    private readonly more: Pick<FromPretrainedOptions, 'answers'> = {},
    private readonly task: ImageTask = 'boxes',
    /** Number of batches that run at once where the network is small. */
    private readonly batchesAtOnce = 1,
    /** Number of images of the call; undefined if they come one by one. */
    private readonly imageCount?: number,
  ) {
    // While the first images are read.
    if (options.device === 'cpu') void prepareRuntime({ isFrugal: imageCount === 1 });
  }

  /** Consecutive images that have the same model, in the order of the images. */
  async groupsOf(images: readonly DecodedImage[]): Promise<readonly ImageGroup[]> {
    const groups: { readonly model: MDETR; readonly images: DecodedImage[] }[] = [];
    for (const image of images) {
      const model = await this.modelFor(image);
      const last = groups.at(-1);
      if (last?.model === model) last.images.push(image);
      else groups.push({ model, images: [image] });
    }
    return groups;
  }

  /** Disposes the models that were loaded. */
  async dispose(): Promise<void> {
    for (const model of await Promise.allSettled([...this.loaded.values()]))
      if (model.status === 'fulfilled') await model.value.dispose();
  }

  private modelFor(image: DecodedImage): Promise<MDETR> {
    if (!(this.hasChoice ??= this.isChosenByImage())) return this.load(this.options.model ?? 'default', image);
    const kind = kindOfDecodedImage(image.raw);
    if (this.task !== 'boxes') {
      if (kind === 'photograph' && !this.loaded.has('default'))
        note(
          `${image.name} looks like a photograph; model "default" knows drawn scenes only, but "photos" predicts no ${this.task} (--model names another)`,
        );
      return this.load('default', image);
    }
    const name = MODEL_OF_KIND[kind];
    // The model for scenes is the default; results name their model in either case.
    const isToTell = kind === 'photograph' || this.options.verbose === true;
    if (isToTell && !this.loaded.has(name))
      note(`${image.name} looks like a ${kind}: model "${name}" (--model names another)`);
    return this.load(name, image);
  }

  /** Whether each image gets the model for its kind: no option names a model or its files, and both models are there. */
  private isChosenByImage(): boolean {
    const { model, weights, tokenizer, config } = this.options;
    const isNamed = [model, weights, tokenizer, config, this.more.answers].some((option) => option !== undefined);
    return !isNamed && findPackageFile('models/photos/config.json') !== undefined;
  }

  /** @param first image that needs the model; it is resized while other threads create sessions */
  private load(model: string, first: DecodedImage): Promise<MDETR> {
    const known = this.loaded.get(model);
    if (known !== undefined) return known;
    if (!isEmbedded(model)) collectForLargeModel();
    const { threads = this.threadsOf(model) } = this.options;
    const onPreprocessing = (preprocessing: Preprocessing): void => resizeAhead(first.raw, preprocessing);
    const loading = loadModel({ ...this.options, model, threads }, { ...this.more, onPreprocessing });
    this.loaded.set(model, loading);
    return loading;
  }

  /**
   * Threads of a run: batches that run at once share the cores, since waiting for each other costs threads time. One of them is
   * outside the network, in preparation or results. For a single image, another thread takes more time to start than it saves.
   */
  private threadsOf(model: string): number | undefined {
    if (!isEmbedded(model)) return undefined;
    if (this.imageCount === 1) return 1;
    if (this.batchesAtOnce === 1) return undefined;
    return Math.max(1, Math.floor(availableParallelism() / (this.batchesAtOnce - 1)));
  }
}

import { MDETR, type EncodedImage, type ProgressEvent } from '../web/index.ts';
import type { Engine, ImageKind, PageImage, Result, RunOptions, Task } from './engine.ts';

/** Embedded models by the kind of image that they are made for. The one for photographs predicts boxes only. */
const MODELS: Readonly<Record<ImageKind, string>> = { scene: 'default', photograph: './models/photos/' };

type OnProgress = (event: ProgressEvent) => void;

/** The models in this page. */
export class LocalEngine implements Engine {
  readonly device: string;
  readonly reason: string;
  /** The image that was encoded last, and its features. */
  private encoded:
    { readonly image: PageImage; readonly model: MDETR; readonly scene: Promise<EncodedImage> } | undefined;
  /** The model for photographs, which is loaded for the first of them. */
  private photos: Promise<MDETR> | undefined;

  private constructor(
    private readonly model: MDETR,
    private readonly isNamed: boolean,
    private readonly onProgress: OnProgress,
  ) {
    const threads = model.threads === 1 ? 'one thread' : `${model.threads} threads`;
    this.device = model.device === 'webgpu' ? 'WebGPU' : `WebAssembly, ${threads}`;
    this.reason = model.reason;
  }

  /** Loads the model that the address of the page names by `?model=`, else the embedded one for scenes. */
  static async load(onProgress: OnProgress): Promise<LocalEngine> {
    const name = new URLSearchParams(location.search).get('model');
    const model = await loadModel(name ?? MODELS.scene, onProgress);
    return new LocalEngine(model, name !== null, onProgress);
  }

  hasMasks(kind: ImageKind): boolean {
    return this.model.hasMasks && (this.isNamed || kind === 'scene');
  }

  async run(task: Task, image: PageImage, text: string, { threshold, masks }: RunOptions): Promise<Result> {
    const model = await this.modelFor(task, image);
    if (this.encoded?.image !== image || this.encoded.model !== model)
      this.encoded = { image, model, scene: model.encodeImage(image.source, { name: image.name }) };
    const { scene } = this.encoded;
    try {
      const options = { threshold, masks: masks && model.hasMasks };
      // A reference without a threshold always has a best object.
      return await (await scene)[task](text, task === 'refer' ? { masks: options.masks } : options);
    } catch (error) {
      this.encoded = undefined;
      throw error;
    }
  }

  /** The model that the address names, else the one for the kind of the image. Only the one for scenes answers questions. */
  private async modelFor(task: Task, { kind }: PageImage): Promise<MDETR> {
    if (this.isNamed || kind === 'scene' || task === 'ask') return this.model;
    this.photos ??= loadModel(MODELS.photograph, this.onProgress);
    try {
      return await this.photos;
    } catch (error) {
      this.photos = undefined;
      throw error;
    }
  }
}

const loadModel = (name: string, onProgress: OnProgress): Promise<MDETR> =>
  MDETR.fromPretrained(name, { assets: './', onProgress });

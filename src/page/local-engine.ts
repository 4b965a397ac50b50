import { MDETR, type EncodedImage, type ProgressEvent } from '../web/index.ts';
import type { Engine, PageImage, Result, RunOptions, Task } from './engine.ts';

/** The model in this page. */
export class LocalEngine implements Engine {
  readonly device: string;
  readonly reason: string;
  readonly hasMasks: boolean;
  /** The image that was encoded last, and its features. */
  private encoded: { readonly image: PageImage; readonly scene: Promise<EncodedImage> } | undefined;

  private constructor(private readonly model: MDETR) {
    const threads = model.threads === 1 ? 'one thread' : `${model.threads} threads`;
    this.device = model.device === 'webgpu' ? 'WebGPU' : `WebAssembly, ${threads}`;
    this.reason = model.reason;
    this.hasMasks = model.hasMasks;
  }

  /** Loads the model that the address of the page names by `?model=`, else the embedded one. */
  static async load(onProgress: (event: ProgressEvent) => void): Promise<LocalEngine> {
    const name = new URLSearchParams(location.search).get('model') ?? 'default';
    return new LocalEngine(await MDETR.fromPretrained(name, { assets: './', onProgress }));
  }

  async run(task: Task, image: PageImage, text: string, { threshold, masks }: RunOptions): Promise<Result> {
    if (this.encoded?.image !== image)
      this.encoded = { image, scene: this.model.encodeImage(image.source, { name: image.name }) };
    const { scene } = this.encoded;
    try {
      const options = { threshold, masks: masks && this.hasMasks };
      // A reference without a threshold always has a best object.
      return await (await scene)[task](text, task === 'refer' ? { masks: options.masks } : options);
    } catch (error) {
      this.encoded = undefined;
      throw error;
    }
  }
}

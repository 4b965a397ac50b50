import type { ImageSource } from '../data/images/image-source.ts';
import { LoadedModel } from '../inference/loaded-model.ts';
import { checkOptions } from '../options/check-options.ts';
import type { DeviceChoice } from './device.ts';
import { fromPretrainedRules, type FromPretrainedOptions } from './load-options.ts';
import { findAssets, locateModel } from './model-location.ts';
import type { LoadRequest } from './open-core.ts';
import { sendImage, type DrawableImage } from './send-image.ts';
import { openInWorker } from './worker-client.ts';

/** An image in a browser: what Node takes, with URLs instead of paths, and everything that can be drawn. */
export type WebImageSource = ImageSource | ReadableStream<Uint8Array> | ImageData | ImageBitmap | DrawableImage;

/**
 * A loaded MDETR model: detects what a caption mentions, finds what an expression refers to, answers questions.
 *
 * @example
 * import { MDETR } from 'mdetr/web';
 *
 * const model = await MDETR.fromPretrained();
 * const { detections } = await model.detect(document.querySelector('img'), 'a red cube and a ball');
 * await model.dispose();
 */
export class MDETR extends LoadedModel<WebImageSource> {
  private constructor(
    core: object,
    private readonly choice: DeviceChoice,
  ) {
    super(core);
  }

  /** Threads of WebAssembly that the model runs on. */
  get threads(): number {
    return this.choice.threads;
  }

  /** Sentences about what was not available: WebGPU, further threads. Empty if nothing was missing. */
  get reason(): string {
    return this.choice.reason;
  }

  /**
   * Loads a model, in a Web Worker unless `worker` is false. Its weights are kept in Cache storage.
   *
   * @param name URL of a model folder or an exported folder, relative to the page; `default` is the embedded model
   * @throws {UsageError} for unknown options or values of the wrong type
   * @throws {MdetrError} if a file is missing, broken, or does not fit its configuration
   */
  static async fromPretrained(name: string | URL = 'default', options: FromPretrainedOptions = {}): Promise<MDETR> {
    checkOptions('fromPretrained', options, fromPretrainedRules);
    const { onProgress, worker: isInWorker = true, assets: base, ...rest } = options;
    const assets = findAssets(base);
    const request: LoadRequest = { location: locateModel(String(name), assets), assets, options: rest };
    const notify = onProgress ?? (() => undefined);
    if (isInWorker) {
      const { core, choice } = await openInWorker(request, notify);
      return new MDETR(core, choice);
    }
    const { openCore } = await import('./open-core.ts');
    const { core, choice } = await openCore(request, notify, sendImage);
    return new MDETR(core, choice);
  }
}

import { checkOptions } from '../../options/check-options.ts';
import { LoadedModel } from '../loaded-model.ts';
import { fromPretrainedRules, type FromPretrainedOptions } from './load-options.ts';

/**
 * A loaded MDETR model: detects what a caption mentions, finds what an expression refers to, answers questions.
 *
 * @example
 * import { MDETR } from 'mdetr';
 *
 * const model = await MDETR.fromPretrained();
 * const { detections } = await model.detect('street.jpg', 'a man in a red coat and his dog');
 * await model.dispose();
 */
export class MDETR extends LoadedModel {
  private constructor(core: object) {
    super(core);
  }

  /**
   * Loads a model. The first load compiles its programs and keeps them in the cache; later loads map them from there.
   *
   * @param name a model folder, an official `.pth`, a `.safetensors`, or the name of an embedded or pulled model
   * @throws {UsageError} for unknown options or values of the wrong type
   * @throws {MdetrError} if the file is missing, broken, or does not fit its configuration
   */
  static async fromPretrained(name = 'default', options: FromPretrainedOptions = {}): Promise<MDETR> {
    checkOptions('fromPretrained', options, fromPretrainedRules);
    // The engine takes a quarter of a second to load, which `import` need not wait for.
    const { openCore } = await import('./open-core.ts');
    return new MDETR(await openCore(name, options));
  }
}

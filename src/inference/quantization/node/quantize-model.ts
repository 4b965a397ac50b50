import { createHash, type Hash } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { basename, dirname, resolve } from 'node:path';
import { nameOfSource, type ImageSource } from '../../../data/images/image-source.ts';
import { decodeImage } from '../../../data/images/node/decode-image.ts';
import type { RawImage } from '../../../data/images/raw-image.ts';
import { leafName, type HostTensor } from '../../../engine/graph/index.ts';
import { createRuntime } from '../../../engine/runtime/create-runtime.ts';
import { ProgramCache } from '../../../engine/runtime/node/program-cache.ts';
import type { Session } from '../../../engine/runtime/runtime.ts';
import { MdetrError, UsageError } from '../../../errors.ts';
import type { ModelSource } from '../../../model-folder/model-source.ts';
import { isExportedFolder, resolveModelPath } from '../../../model-folder/node/model-files.ts';
import { openModelSource } from '../../../model-folder/node/model-source.ts';
import { writeQuantization } from '../../../model-folder/node/quantization-file.ts';
import { hasDetector } from '../../../model-folder/weight-storage.ts';
import { RANGE_METHODS, type Quantization, type RangeMethod } from '../../../model-folder/quantization.ts';
import {
  booleanRule,
  checkOptions,
  functionRule,
  integerFrom,
  oneOf,
  signalRule,
} from '../../../options/check-options.ts';
import { batchImages, prepareImage, type PreparedImage } from '../../preprocess.ts';
import { traceInference } from '../../programs.ts';
import { rangeProgram, type RangeProgram } from '../range-program.ts';
import { ValueHistogram } from '../value-histogram.ts';

/** Options of `quantizeModel`. */
export interface QuantizeOptions {
  /**
   * How a range is chosen from the values: the one with the least squared error (`mse`, default), 99.99 % of the values
   * (`percentile`), or all of them (`minmax`).
   */
  readonly method?: RangeMethod | undefined;
  /** Write `quantization.json` into the model folder. Default true. */
  readonly write?: boolean | undefined;
  /** Threads of the network. Default: one per physical core. */
  readonly threads?: number | undefined;
  /** Called with the number of images that are done. */
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
  /** Called for an image that cannot be read, which is then left out; without it, the error ends the call. */
  readonly onSkip?: ((name: string, error: Error) => void) | undefined;
  /** Cancels the measurement; nothing is written. */
  readonly signal?: AbortSignal | undefined;
}

/** Measured ranges, and the file that they were written to. */
export interface Quantized {
  /** The ranges and where they come from. */
  readonly quantization: Quantization;
  /** Undefined if nothing was written. */
  readonly path: string | undefined;
}

/** Images of more pixels than this are sampled at every third row and column of a feature map. */
const SAMPLED_PIXELS = 256 * 256;
const SAMPLE_STRIDE = 3;

/**
 * Measures the ranges of the activations of a model's backbone on images like those that it will see, and writes them into
 * the model folder as `quantization.json`. From then on, `dtype: 'int8'` computes the backbone's convolutions with integers.
 * No labels are needed, and some dozens of images suffice.
 *
 * @param name a model folder, or the name of an embedded or pulled model
 * @throws {UsageError} for unknown options, and for a model that is no folder
 * @throws {MdetrError} if the model or an image cannot be read, there are no images, or the backbone always computes with floats
 * @example
 * await quantizeModel('models/r101', ['a.jpg', 'b.jpg']);
 * const model = await MDETR.fromPretrained('models/r101', { dtype: 'int8' });
 */
export const quantizeModel = async (
  name: string,
  images: readonly ImageSource[],
  options: QuantizeOptions = {},
): Promise<Quantized> => {
  checkOptions('quantizeModel', options, QUANTIZE_RULES);
  if (images.length === 0) throw new MdetrError('quantizeModel: there are no images to measure');
  const { method = 'mse', write = true, threads } = options;
  const folder = await modelFolderOf(name);
  const source = await openModelSource(folder);
  try {
    const cache = new ProgramCache();
    const runtime = await createRuntime({ threads, cache });
    const image = traceInference(source.model).image;
    const meter = new RangeMeter(source, async (stride) => {
      const made = rangeProgram(image, stride);
      if (made.names.length === 0)
        throw new MdetrError(
          hasDetector(image.parameters.map(leafName))
            ? `${name}: needs no ranges: its backbone detects objects, and integers would change which of nearly equal ones it chooses; --dtype int8 stores its weights compactly and computes with floats`
            : `${name}: its backbone has no convolutions that can compute with integers`,
        );
      return { ...made, session: await runtime.load(made.program, { weights: source.weights }) };
    });
    try {
      await meter.addAll(images, options);
    } finally {
      await meter.dispose();
      // The program is of no use any more, and as large as the model.
      await cache.clear(({ program }) => program === 'ranges');
    }
    const quantization = meter.result(method, nameOfData(images));
    return { quantization, path: write ? await writeQuantization(folder, quantization) : undefined };
  } finally {
    await source.close();
  }
};

const QUANTIZE_RULES = {
  method: oneOf(...RANGE_METHODS),
  write: booleanRule,
  threads: integerFrom(1),
  onProgress: functionRule,
  onSkip: functionRule,
  signal: signalRule,
};

/** Path of a model folder. @throws {UsageError} for other kinds of models, with the way out */
const modelFolderOf = async (name: string): Promise<string> => {
  const path = await resolveModelPath(name);
  if (await isExportedFolder(path))
    throw new UsageError(
      `${name}: is an exported folder; quantize the model that it was made from, and export it again`,
    );
  if (!(await stat(path)).isDirectory())
    throw new UsageError(`${name}: is a weight file; make a model folder of it first: mdetr convert ${name} FOLDER`);
  return path;
};

/** Name of the folder of the images, or of the first image. */
const nameOfData = ([first]: readonly ImageSource[]): string =>
  typeof first === 'string' && !/^\w{2,}:/.test(first) ? basename(dirname(resolve(first))) : 'images';

/** A loaded range program. */
interface LoadedRangeProgram extends RangeProgram {
  readonly session: Session;
}

/** Collects the values of all tensors over the images. */
class RangeMeter {
  private readonly histograms: ValueHistogram[] = [];
  private readonly digest: Hash = createHash('sha256');
  private loaded: LoadedRangeProgram | undefined;
  private images = 0;

  constructor(
    private readonly source: ModelSource,
    private readonly load: (stride: number) => Promise<LoadedRangeProgram>,
  ) {}

  async addAll(images: readonly ImageSource[], { onProgress, onSkip, signal }: QuantizeOptions): Promise<void> {
    for (const [index, image] of images.entries()) {
      signal?.throwIfAborted();
      const prepared = await this.prepare(image, onSkip);
      if (prepared !== undefined) await this.add(prepared);
      onProgress?.(index + 1, images.length);
    }
    signal?.throwIfAborted();
  }

  result(method: RangeMethod, name: string): Quantization {
    if (this.images === 0) throw new MdetrError('none of the images can be read, so nothing was measured');
    const ranges = this.loaded!.names.map((tensor, index) => [tensor, this.histograms[index]!.range(method)] as const);
    return {
      method,
      data: { name, images: this.images, sha256: this.digest.digest('hex') },
      ranges: Object.fromEntries(ranges.map(([tensor, [low, high]]) => [tensor, [shortened(low), shortened(high)]])),
    };
  }

  async dispose(): Promise<void> {
    await this.loaded?.session.dispose();
  }

  private async prepare(image: ImageSource, onSkip: QuantizeOptions['onSkip']): Promise<PreparedImage | undefined> {
    const name = nameOfSource(image) ?? 'image';
    try {
      return prepareImage(await decodeImage(image, { name }), this.source.preprocessing, { name });
    } catch (error) {
      if (onSkip === undefined || !(error instanceof MdetrError)) throw error;
      onSkip(name, error);
      return undefined;
    }
  }

  private async add(image: PreparedImage): Promise<void> {
    updateDigest(this.digest, image.original);
    const { batch, height, width, tensors } = batchImages([image]);
    this.loaded ??= await this.load(height * width > SAMPLED_PIXELS ? SAMPLE_STRIDE : 1);
    const { session, names } = this.loaded;
    const values = await session.run({ image: { dtype: 'float32', shape: [batch, 3, height, width], data: tensors } });
    names.forEach((name, index) => {
      const [negated, high] = floatsOf(values[`extremes.${index}`]!) as unknown as [number, number];
      const histogram = (this.histograms[index] ??= new ValueHistogram());
      try {
        histogram.add(floatsOf(values[`sample.${index}`]!), -negated, high);
      } catch (error) {
        throw new MdetrError(`${image.name}: "${name}" has values that are not finite; are the weights broken?`, {
          cause: error,
        });
      }
    });
    this.images++;
  }
}

const floatsOf = ({ data }: HostTensor): Float32Array => data as Float32Array;

/** Seven digits: more than a step of 1/255 needs, and the same on every machine. */
const shortened = (value: number): number => Number(value.toPrecision(7));

const updateDigest = (digest: Hash, { width, height, data }: RawImage): void => {
  digest.update(`${width}x${height}`).update(data);
};

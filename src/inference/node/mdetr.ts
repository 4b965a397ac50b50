import { performance } from 'node:perf_hooks';
import type { DecodeOptions, ImageSource } from '../../data/images/image-source.ts';
import type { PackedCocoRle } from '../../geometry/run-lengths.ts';
import type { AnswerVocabulary } from '../../postprocess/answer-vocabulary.ts';
import { MdetrError, UsageError } from '../../errors.ts';
import { answerOf } from '../../postprocess/answers.ts';
import {
  detectionsOf,
  referredDetectionOf,
  type Detection,
  type DetectionOptions,
} from '../../postprocess/detections.ts';
import type { DetectionOutputs } from '../../postprocess/scored-boxes.ts';
import type { ModelConfig } from '../../models/index.ts';
import { createRuntime } from '../../engine/runtime/create-runtime.ts';
import { ProgramCache } from '../../engine/runtime/node/program-cache.ts';
import type { Session } from '../../engine/runtime/runtime.ts';
import { encodeBatch, type Encoding } from '../../text/index.ts';
import { encodeImages, type EncodedImages } from '../encoded-images.ts';
import { MaskPredictor } from '../mask-predictor.ts';
import { openModelSource, type ModelSource, type ModelSourceOptions } from '../../model-folder/node/model-source.ts';
import { modelSizeOf, prepareImage, sizeOfImage, type PreparedImage } from '../preprocess.ts';
import { traceInference } from '../programs.ts';
import type { AnswerResult, DetectedObject, DetectionResult, ReferResult, Timing } from '../results.ts';
import { TextOutputs } from '../text-outputs.ts';

/** What happens while a model loads; the last event has status `ready`. */
export interface ProgressEvent {
  readonly status: 'reading' | 'compiling' | 'ready';
  /** The program being compiled, or the model's name. */
  readonly name: string;
}

export interface FromPretrainedOptions extends ModelSourceOptions {
  /** `cpu` (default), or `webgpu`, `cuda`, `coreml`, `dml` where the machine has them. */
  readonly device?: string;
  /** Threads of one run; ONNX Runtime's choice by default. */
  readonly threads?: number;
  /** Where compiled programs are kept; by default the system's cache folder, or `MDETR_CACHE`. */
  readonly cacheDir?: string;
  readonly onProgress?: (event: ProgressEvent) => void;
}

export interface RunOptions extends DetectionOptions {
  /** Masks too, from a model that has the segmentation head. */
  readonly masks?: boolean;
  /** A caption beyond the text encoder's limit is an error by default; `'end'` drops its end with a warning. */
  readonly truncation?: 'error' | 'end';
}

/** One picture and one text about it. */
export interface ImageText {
  readonly image: ImageSource;
  readonly text: string;
  /** How errors call the picture. */
  readonly name?: string;
}

export interface BatchOptions extends RunOptions {
  /** Pictures, and texts, that go through the network together; padding grows with their differences. Default 4. */
  readonly batchSize?: number;
  readonly decode?: DecodeOptions;
}

const defaultBatchSize = 4;

/** A model that is ready to look at pictures. Made by `MDETR.fromPretrained`; `dispose` frees it. */
export class MDETR {
  private disposed = false;

  private constructor(
    private readonly source: ModelSource,
    private readonly sessions: { readonly image: Session; readonly text: Session },
    private readonly masks: MaskPredictor | undefined,
    readonly device: string,
  ) {}

  /**
   * Loads a model: a model folder, an official `.pth`, a `.safetensors`, or the name of an embedded or pulled one.
   * The first load compiles the network and keeps it in the cache; later ones map it from there.
   * Throws `MdetrError` when the file is missing, broken, or does not fit.
   */
  static async fromPretrained(name = 'default', options: FromPretrainedOptions = {}): Promise<MDETR> {
    const notify = options.onProgress ?? (() => undefined);
    notify({ status: 'reading', name });
    const source = await openModelSource(name, options);
    const loaded: Session[] = [];
    try {
      const cache = new ProgramCache(options.cacheDir === undefined ? {} : { folder: options.cacheDir });
      const runtime = await createRuntime({ device: options.device, threads: options.threads, cache });
      const programs = traceInference(source.model);
      const load = async (program: (typeof programs)['image']): Promise<Session> => {
        notify({ status: 'compiling', name: program.name });
        const session = await runtime.load(program, { weights: source.weights });
        loaded.push(session);
        return session;
      };
      const image = await load(programs.image);
      const text = await load(programs.text);
      const masks = programs.masks === undefined ? undefined : new MaskPredictor(await load(programs.masks));
      notify({ status: 'ready', name });
      return new MDETR(source, { image, text }, masks, runtime.device);
    } catch (error) {
      await Promise.all(loaded.map((session) => session.dispose()));
      throw error;
    } finally {
      await source.close();
    }
  }

  /** The network's configuration under the official argument names. */
  get config(): ModelConfig {
    return this.source.config;
  }

  /** What the model's makers say about what it can do, if anything. */
  get notice(): string | undefined {
    return this.source.notice;
  }

  /** What was loaded from the weight file, left out and missing. */
  get loadReport(): string | undefined {
    return this.source.report;
  }

  get hasMasks(): boolean {
    return this.masks !== undefined;
  }

  /** Throws `MdetrError`, which names the picture, for one of a size that this model cannot look at. */
  checkSize(image: { readonly width: number; readonly height: number }, name = 'image'): void {
    modelSizeOf(image, this.source.preprocessing, name);
  }

  /** Finds what the caption mentions. */
  async detect(image: ImageSource, caption: string, options: BatchOptions = {}): Promise<DetectionResult> {
    return (await this.detectBatch([{ image, text: caption }], options))[0]!;
  }

  /** Finds the one object that the expression refers to. */
  async refer(image: ImageSource, expression: string, options: BatchOptions = {}): Promise<ReferResult> {
    return (await this.encodeImage(image, options.decode)).refer(expression, options);
  }

  /** Answers a question; from a model with question heads. */
  async ask(image: ImageSource, question: string, options: BatchOptions = {}): Promise<AnswerResult> {
    return (await this.encodeImage(image, options.decode)).ask(question, options);
  }

  /**
   * Pictures and captions in batches, results in the order of the items. A picture that comes several times (the same
   * object or path) is decoded and goes through the backbone once.
   */
  async detectBatch(items: readonly ImageText[], options: BatchOptions = {}): Promise<DetectionResult[]> {
    const batchSize = options.batchSize ?? defaultBatchSize;
    if (!Number.isInteger(batchSize) || batchSize < 1)
      throw new UsageError(`batchSize must be a whole number from 1 on, not ${batchSize}`);
    const nameOf = new Map<ImageSource, string | undefined>();
    for (const { image, name } of items) if (!nameOf.has(image)) nameOf.set(image, name);
    const results = new Map<number, DetectionResult>();
    for (const images of chunks([...nameOf.keys()], batchSize)) {
      const names = images.map((image) => nameOf.get(image));
      const pictures = await this.encodeImages(images, names, options.decode);
      const about = items.flatMap(({ image, text }, index) => {
        const position = images.indexOf(image);
        return position < 0 ? [] : [{ index, image: position, text }];
      });
      for (const rows of chunks(about, batchSize)) {
        const found = await this.detectRows(pictures, rows, options);
        rows.forEach(({ index }, row) => results.set(index, found[row]!));
      }
    }
    return items.map((_, index) => results.get(index)!);
  }

  /**
   * The network's raw numbers for texts about pictures, for metrics and post-processing of one's own. All of them go
   * through the network at once: items with the same picture share its features.
   */
  async predict(items: readonly ImageText[], options: BatchOptions = {}): Promise<TextOutputs> {
    const images = [...new Set(items.map(({ image }) => image))];
    const names = images.map((image) => items.find((item) => item.image === image)?.name);
    const pictures = await this.encodeImages(images, names, options.decode);
    const rows = items.map(({ image, text }) => ({ image: images.indexOf(image), text }));
    return this.runTexts(pictures, rows, options);
  }

  /** Masks of chosen queries of one item of `predict`, at the size of its picture. */
  async predictMasks(outputs: TextOutputs, item: number, queries: readonly number[]): Promise<PackedCocoRle[]> {
    if (this.masks === undefined) throw new MdetrError(`model "${this.source.name}" has no segmentation head`);
    return this.masks.predict(outputs, item, queries);
  }

  /** Answer tables of a GQA model; empty for others. */
  get answerVocabulary(): AnswerVocabulary {
    return this.source.answers;
  }

  /** Keeps the backbone's features of a picture, so that every further text costs only the transformer. */
  async encodeImage(image: ImageSource, decode?: DecodeOptions): Promise<EncodedImage> {
    return new EncodedImage(this, await this.encodeImages([image], [undefined], decode));
  }

  /** Frees the network. The model cannot be used afterwards. */
  async dispose(): Promise<void> {
    this.disposed = true;
    await Promise.all([this.sessions.image.dispose(), this.sessions.text.dispose(), this.masks?.dispose()]);
  }

  /** @internal */
  predictRows(images: EncodedImages, rows: readonly TextRow[], options: RunOptions): Promise<TextOutputs> {
    return this.runTexts(images, rows, options);
  }

  /** @internal */
  async detectRows(images: EncodedImages, rows: readonly TextRow[], options: RunOptions): Promise<DetectionResult[]> {
    const outputs = await this.runTexts(images, rows, options);
    const results: DetectionResult[] = [];
    for (const [index, row] of rows.entries()) {
      const started = performance.now();
      const found = detectionsOf(outputs.detection(index), outputs.size(index), outputs.encoding(index), options);
      const detections = await this.withMasks(outputs, index, found, options);
      results.push({ caption: row.text, detections, ...outputs.about(index, performance.now() - started) });
    }
    return results;
  }

  /** @internal */
  async referRow(images: EncodedImages, row: TextRow, options: RunOptions): Promise<ReferResult> {
    const outputs = await this.runTexts(images, [row], options);
    const started = performance.now();
    const [detection, size, encoding]: [DetectionOutputs, ReturnType<TextOutputs['size']>, Encoding] = [
      outputs.detection(0),
      outputs.size(0),
      outputs.encoding(0),
    ];
    // A threshold given by the caller asks whether the object is there at all; without one there is always a best.
    const best = referredDetectionOf(detection, size, encoding, options);
    const found = detectionsOf(detection, size, encoding, options);
    const [bestWithMask] = best === undefined ? [undefined] : await this.withMasks(outputs, 0, [best], options);
    return {
      expression: row.text,
      best:
        best === undefined || bestWithMask === undefined
          ? undefined
          : { ...bestWithMask, scoreRefexp: best.scoreRefexp },
      detections: await this.withMasks(outputs, 0, found, options),
      ...outputs.about(0, performance.now() - started),
    };
  }

  /** @internal */
  async askRow(images: EncodedImages, row: TextRow, options: RunOptions): Promise<AnswerResult> {
    if (!this.config.do_qa)
      throw new MdetrError(
        `model "${this.source.name}" has no question heads; use one trained on questions (GQA, CLEVR, scenes)`,
      );
    const outputs = await this.runTexts(images, [row], options);
    const started = performance.now();
    const answer = answerOf(outputs.answers(0), this.source.answers);
    const found = detectionsOf(outputs.detection(0), outputs.size(0), outputs.encoding(0), options);
    return {
      question: row.text,
      ...answer,
      detections: await this.withMasks(outputs, 0, found, options),
      ...outputs.about(0, performance.now() - started),
    };
  }

  private async encodeImages(
    images: readonly ImageSource[],
    names: readonly (string | undefined)[],
    decode: DecodeOptions | undefined,
  ): Promise<EncodedImages> {
    this.requireAlive();
    const started = performance.now();
    const { preprocessing, madeFor } = this.source;
    const prepared: PreparedImage[] = [];
    for (const [index, image] of images.entries())
      prepared.push(await prepareImage(image, preprocessing, { name: names[index], madeFor, ...decode }));
    return encodeImages(this.sessions.image, this.config, prepared, performance.now() - started);
  }

  private async runTexts(images: EncodedImages, rows: readonly TextRow[], options: RunOptions): Promise<TextOutputs> {
    this.requireAlive();
    for (const { text } of rows)
      if (text.trim() === '') throw new MdetrError('the text is empty: say what to look for');
    if (options.masks === true && this.masks === undefined) {
      throw new MdetrError(
        `model "${this.source.name}" has no segmentation head, so no masks; use one trained for PhraseCut, or the default model`,
      );
    }
    const batch = encodeBatch(
      this.source.tokenizer,
      rows.map(({ text }) => text),
      { truncation: options.truncation ?? 'error' },
    );
    const started = performance.now();
    const values = await this.sessions.text.run({
      src: images.features['src']!,
      feature_padding: images.features['feature_padding']!,
      image_index: { dtype: 'int32', shape: [rows.length], data: Int32Array.from(rows, ({ image }) => image) },
      input_ids: { dtype: 'int32', shape: [batch.B, batch.T], data: batch.inputIds },
      attention_mask: { dtype: 'int32', shape: [batch.B, batch.T], data: batch.attentionMask },
    });
    const timing: Timing = {
      preprocess: images.preprocessMs,
      model: images.modelMs + performance.now() - started,
      postprocess: 0,
    };
    return new TextOutputs(values, images, rows, batch.encodings, timing);
  }

  private async withMasks(
    outputs: TextOutputs,
    row: number,
    found: readonly Detection[],
    options: RunOptions,
  ): Promise<DetectedObject[]> {
    if (options.masks !== true || this.masks === undefined || found.length === 0) return [...found];
    const masks = await this.masks.predict(
      outputs,
      row,
      found.map(({ query }) => query),
    );
    return found.map((detection, index) => ({ ...detection, mask: masks[index]! }));
  }

  private requireAlive(): void {
    if (this.disposed) throw new MdetrError('this model was disposed; load it again');
  }
}

const chunks = <T>(values: readonly T[], size: number): T[][] =>
  Array.from({ length: Math.ceil(values.length / size) }, (_, index) => values.slice(index * size, (index + 1) * size));

/** A text, and the picture of the batch that it is about. */
export interface TextRow {
  readonly image: number;
  readonly text: string;
}

/** A picture whose backbone features are kept: many texts, one image pass. */
export class EncodedImage {
  constructor(
    private readonly model: MDETR,
    private readonly images: EncodedImages,
  ) {}

  /** Size of the original picture in pixels. */
  get size(): { readonly width: number; readonly height: number } {
    const [height, width] = sizeOfImage(this.images.images[0]!.original);
    return { width, height };
  }

  async detect(caption: string, options: RunOptions = {}): Promise<DetectionResult> {
    return (await this.detectAll([caption], options))[0]!;
  }

  /** Several captions in one run of the transformer. */
  async detectAll(captions: readonly string[], options: RunOptions = {}): Promise<DetectionResult[]> {
    return this.model.detectRows(
      this.images,
      captions.map((text) => ({ image: 0, text })),
      options,
    );
  }

  /** The network's raw numbers for several texts in one run of the transformer, as `MDETR.predict`. */
  async predict(texts: readonly string[], options: RunOptions = {}): Promise<TextOutputs> {
    return this.model.predictRows(
      this.images,
      texts.map((text) => ({ image: 0, text })),
      options,
    );
  }

  async refer(expression: string, options: RunOptions = {}): Promise<ReferResult> {
    return this.model.referRow(this.images, { image: 0, text: expression }, options);
  }

  async ask(question: string, options: RunOptions = {}): Promise<AnswerResult> {
    return this.model.askRow(this.images, { image: 0, text: question }, options);
  }
}

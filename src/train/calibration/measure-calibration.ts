import { openRows, type AnnotationRows } from '../../benchmarks/annotation-rows.ts';
import type { OnBadRow } from '../../data/annotation-index/row-reader.ts';
import type { CocoRow } from '../../data/format/coco-format.ts';
import { AnnotatedImages } from '../../data/images/node/annotated-images.ts';
import type { RawImage } from '../../data/images/raw-image.ts';
import { MdetrError } from '../../errors.ts';
import { bestOverlap, MATCH_IOU } from '../../geometry/box-overlap.ts';
import { clampBoxXyxy } from '../../geometry/boxes.ts';
import type { LoadedModel } from '../../inference/loaded-model.ts';
import type { TextOutputs } from '../../inference/text-outputs.ts';
import type { Calibration } from '../../model-folder/calibration.ts';
import { phraseScoresOf } from '../../postprocess/detections.ts';
import { boxAt, byFallingScore, postprocessBoxes } from '../../postprocess/scored-boxes.ts';
import type { CalibrationSets } from './calibration-data.ts';
import { captionTruth, isForeign, type CaptionTruth } from '../../benchmarks/phrases/caption-truth.ts';
import { choosePresence, chooseThreshold, type PresenceChoice, type ScoredDetection } from './choose-thresholds.ts';

/** How a calibration is measured. */
export interface MeasureOptions {
  /** Maximum number of captions, spread evenly over the data. Default 1000. */
  readonly limit?: number | undefined;
  /** Captions in one run of the network. Default 4. */
  readonly batchSize?: number | undefined;
  /**
   * Amount of F1 that the threshold may cost: the highest threshold within it is taken, which detects less in wordings that the
   * data lack. Default 0, the largest F1.
   */
  readonly f1Margin?: number | undefined;
  /** Whether a row that cannot be used stops the measurement or is skipped. Default `stop`. */
  readonly onBadRow?: OnBadRow | undefined;
  /** Called with the number of captions done and their total. */
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
  /** Stops the measurement. */
  readonly signal?: AbortSignal | undefined;
}

const DEFAULT_LIMIT = 1000;
/** Absent phrases are made from the captions of other images if the data have fewer, or fewer than this fraction. */
const MIN_ABSENT = 20;
const MIN_ABSENT_FRACTION = 0.05;

/**
 * Measures the calibration of a model: the threshold with the largest F1 of its detections (IoU 0.5), and the score that
 * divides present from absent phrases with equally few errors of both kinds. If the data mark few phrases as absent, phrases
 * of other images are asked for, whose nouns occur in no caption of the image.
 *
 * @throws {MdetrError} if the data have no boxes, or no phrases, or the model finds none of the boxes
 */
export const measureCalibration = async (
  model: LoadedModel,
  { name, sets }: CalibrationSets,
  options: MeasureOptions = {},
): Promise<Calibration> => {
  const { limit = DEFAULT_LIMIT, onBadRow = 'stop' } = options;
  const opened: { readonly rows: AnnotationRows; readonly images: AnnotatedImages }[] = [];
  try {
    for (const { annotations, images } of sets)
      opened.push({ rows: openRows({ annotations, onBadRow }), images: new AnnotatedImages(images) });
    const total = opened.reduce((sum, { rows }) => sum + rows.length, 0);
    const every = Math.max(1, total / limit);
    const run = new CalibrationRun(model, options, Math.ceil(total / every));
    for (const { rows, images } of opened) await run.addRows(spread(rows, every), images);
    return await run.finish(name);
  } finally {
    for (const { rows } of opened) rows.close();
  }
};

/** One row of every `every`, evenly. */
function* spread(rows: Iterable<CocoRow>, every: number): Generator<CocoRow> {
  let next = 0;
  let index = 0;
  for (const row of rows) {
    if (index++ < Math.floor(next)) continue;
    next += every;
    yield row;
  }
}

/** A row whose image can be decoded again. */
interface Entry {
  readonly row: CocoRow;
  readonly truth: CaptionTruth;
  readonly images: AnnotatedImages;
}

class CalibrationRun {
  private readonly detections: ScoredDetection[] = [];
  private boxes = 0;
  private readonly present: number[] = [];
  private readonly absent: number[] = [];
  private readonly entries: Entry[] = [];
  private readonly files = new Map<string, string[]>();

  constructor(
    private readonly model: LoadedModel,
    private readonly options: MeasureOptions,
    private readonly total: number,
  ) {}

  async addRows(rows: Iterable<CocoRow>, images: AnnotatedImages): Promise<void> {
    let batch: Entry[] = [];
    const flush = async (): Promise<void> => {
      const outputs = await this.predict(batch.map((entry) => ({ entry, caption: entry.truth.caption })));
      batch.forEach(({ truth }, index) => this.addTruth(truth, outputs, index));
      batch = [];
      this.options.onProgress?.(this.entries.length, this.total);
    };
    for (const row of rows) {
      const truth = captionTruth(row);
      if (truth.caption.trim() === '') continue;
      const entry = { row, truth, images };
      const { file_name: file } = row.image;
      this.files.set(file, [...(this.files.get(file) ?? []), truth.caption]);
      this.entries.push(entry);
      batch.push(entry);
      if (batch.length >= this.batchSize) await flush();
    }
    if (batch.length > 0) await flush();
  }

  async finish(name: string): Promise<Calibration> {
    if (this.boxes === 0 || this.present.length === 0)
      throw new MdetrError(
        `${name}: has no boxes with phrases in ${this.entries.length} captions; a model is calibrated on captions with boxes`,
      );
    if (!this.detections.some(({ isCorrect }) => isCorrect))
      throw new MdetrError(
        `${name}: the model finds none of the ${this.boxes} boxes (IoU ${MATCH_IOU}), so no score can mean "found"; it does not know what these images show`,
      );
    const wanted = Math.max(MIN_ABSENT, MIN_ABSENT_FRACTION * this.present.length);
    const made = this.absent.length < wanted ? await this.foreignPhrases() : [];
    const isMade = made.length > 0;
    this.absent.push(...made);
    const { threshold, f1 } = chooseThreshold(this.detections, this.boxes, this.options.f1Margin);
    const { presence, presentFound, absentFound } = this.presenceOf(threshold);
    return {
      threshold,
      presence,
      data: {
        name,
        images: this.files.size,
        captions: this.entries.length,
        boxes: this.boxes,
        present_phrases: this.present.length,
        absent_phrases: this.absent.length,
        made_absent: isMade ? true : undefined,
        f1: digits(f1),
        present_found: digits(presentFound),
        absent_found: absentFound === undefined ? undefined : digits(absentFound),
      },
    };
  }

  /** Presence. Where all images show the same kinds, as with one class, nothing absent was seen: a phrase is present if it is boxed. */
  private presenceOf(threshold: number): Omit<PresenceChoice, 'absentFound'> & { readonly absentFound?: number } {
    if (this.absent.length > 0) return choosePresence(this.present, this.absent);
    const boxed = this.present.filter((score) => score > threshold).length;
    return { presence: threshold, presentFound: boxed / this.present.length };
  }

  private get batchSize(): number {
    return this.options.batchSize ?? 4;
  }

  /** Outputs of captions, each in the image of an entry. */
  private async predict(asked: readonly { readonly entry: Entry; readonly caption: string }[]): Promise<TextOutputs> {
    this.options.signal?.throwIfAborted();
    const decoded = new Map<string, RawImage>();
    const items: { image: RawImage; text: string; name: string }[] = [];
    for (const { entry, caption: text } of asked) {
      const { row, images } = entry;
      const { file_name: name } = row.image;
      const image = decoded.get(name) ?? (await images.decode(row.image));
      decoded.set(name, image);
      items.push({ image, text, name });
    }
    return this.model.predict(items, { truncation: 'end', signal: this.options.signal });
  }

  private addTruth(truth: CaptionTruth, outputs: TextOutputs, index: number): void {
    const size = outputs.size(index);
    const { scores, boxes } = postprocessBoxes(outputs.detection(index), size);
    const free = new Set(truth.boxes.keys());
    this.boxes += truth.boxes.length;
    for (const query of byFallingScore(scores)) {
      const best = bestOverlap(clampBoxXyxy(boxAt(boxes, query), size), truth.boxes, free);
      const isCorrect = best.iou >= MATCH_IOU;
      if (isCorrect) free.delete(best.index);
      this.detections.push({ score: scores[query]!, isCorrect });
    }
    const score = (ranges: CaptionTruth['present']): number[] =>
      phraseScoresOf(outputs.detection(index), outputs.encoding(index), ranges);
    this.present.push(...score(truth.present));
    this.absent.push(...score(truth.absent));
  }

  /** Scores of phrases of other images' captions. */
  private async foreignPhrases(): Promise<number[]> {
    const found: number[] = [];
    const pairs = this.entries.flatMap((entry, index) => {
      const own = this.files.get(entry.row.image.file_name) ?? [];
      // A fixed step through the data, so that the choice is the same every time.
      for (let step = 1; step <= Math.min(20, this.entries.length - 1); step++) {
        const { truth } = this.entries[(index + step * 7) % this.entries.length]!;
        const ranges = truth.present.filter(({ start, end }) => isForeign(truth.caption.slice(start, end), own));
        if (ranges.length > 0) return [{ entry, caption: truth.caption, ranges }];
      }
      return [];
    });
    for (let at = 0; at < pairs.length; at += this.batchSize) {
      const batch = pairs.slice(at, at + this.batchSize);
      const outputs = await this.predict(batch);
      for (const [index, { ranges }] of batch.entries())
        found.push(...phraseScoresOf(outputs.detection(index), outputs.encoding(index), ranges));
    }
    return found;
  }
}

const digits = (value: number): number => Math.round(value * 1e4) / 1e4;

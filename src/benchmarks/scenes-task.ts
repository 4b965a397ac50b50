import { maskRuns } from '../scenes/render/object-masks.ts';
import { makeTexts } from '../scenes/language/make-texts.ts';
import { Random } from '../random/random.ts';
import { generateScene, type RenderedScene, type SceneOptions } from '../scenes/render/scene.ts';
import type { SceneSplit } from '../scenes/render/splits.ts';
import { TEXT_KINDS, type SceneText, type TextKind } from '../scenes/language/texts.ts';
import { maskIou } from '../geometry/mask-overlap.ts';
import { unpackMask } from '../geometry/run-lengths.ts';
import { drawDetections } from '../drawing/index.ts';
import { CocoApEvaluator } from '../metrics/coco-ap.ts';
import { HitCounter, mean, type Metrics } from '../metrics/metrics.ts';
import { answerOf } from '../postprocess/answers.ts';
import { detectionsOf, referredDetectionOf, type Detection } from '../postprocess/detections.ts';
import { rankBoxesByPhrase } from '../postprocess/phrase-boxes.ts';
import { iouXyxy } from '../geometry/box-overlap.ts';
import { enclosingBoxXyxy } from '../geometry/boxes.ts';
import type { MDETR } from '../inference/node/mdetr.ts';
import type { TextOutputs } from '../inference/text-outputs.ts';
import { createPositiveMap } from '../text/index.ts';
import { WorstCases, type TaskReport } from './task-report.ts';

export interface ScenesTaskOptions {
  readonly split: SceneSplit;
  /** Of the scenes; one that training never saw. */
  readonly seed: number;
  readonly images: number;
  /** Number of the first scene. Default 0. */
  readonly start?: number;
  /** Sizes and numbers of objects, where they are not the usual ones. */
  readonly scene?: Omit<SceneOptions, 'split'>;
  /** Texts of each kind a scene. */
  readonly textsPerKind: number;
  /** Boxes are counted as found above this score: the default of `detect`. */
  readonly threshold: number;
  readonly worst: number;
  readonly onProgress?: (done: number) => void;
  /** Breaks off between scenes. */
  readonly signal?: AbortSignal | undefined;
}

const hitIou = 0.5;

/** Every number of the scenes benchmark, over one split. Scenes and texts follow from the seed alone. */
export const evaluateScenes = async (model: MDETR, options: ScenesTaskOptions): Promise<TaskReport> => {
  const tally = new ScenesTally(model, options);
  const { start = 0, images, seed, split, signal } = options;
  for (let index = 0; index < images; index++) {
    signal?.throwIfAborted();
    const scene = generateScene(seed, start + index, { ...options.scene, split });
    const texts = textsOf(scene, options);
    const outputs = await model.predict(
      texts.map(({ text }) => ({ image: scene.image, text })),
      { truncation: 'end' },
    );
    for (const [row, text] of texts.entries()) await tally.add(scene, text, outputs, row);
    options.onProgress?.(index + 1);
  }
  return tally.report();
};

const textsOf = (scene: RenderedScene, { seed, textsPerKind }: ScenesTaskOptions): readonly SceneText[] =>
  TEXT_KINDS.flatMap((kind: TextKind) =>
    makeTexts(scene, kind, Random.of(seed, scene.index, 'evaluation', kind), { count: textsPerKind }),
  );

/** Whether the phrase that a box stands for above all is this one. */
const isAbout = (
  { spans: [main] }: Detection,
  { start, end }: { readonly start: number; readonly end: number },
): boolean => main !== undefined && main.start < end && main.end > start;

/** Collects all numbers text by text. */
class ScenesTally {
  private readonly recall = new Map([1, 5, 10].map((k) => [k, { any: new HitCounter(), merged: new HitCounter() }]));
  private readonly phraseIous: number[] = [];
  private readonly precision = new HitCounter();
  private readonly maskIous: number[] = [];
  private readonly answers = new HitCounter();
  private readonly answerCounts = new Map<string, Map<string, number>>();
  private readonly boxed = new HitCounter();
  private readonly twice = new HitCounter();
  private readonly absent = new HitCounter();
  private readonly detections: { boxes: (readonly number[])[]; scores: number[]; truth: (readonly number[])[] }[] = [];
  private readonly worst: WorstCases;

  constructor(
    private readonly model: MDETR,
    private readonly options: ScenesTaskOptions,
  ) {
    this.worst = new WorstCases(options.worst);
  }

  async add(scene: RenderedScene, text: SceneText, outputs: TextOutputs, row: number): Promise<void> {
    const quality = await this.qualityOf(scene, text, outputs, row);
    if (quality === undefined) return;
    const found = this.foundIn(scene, outputs, row);
    this.worst.add({
      quality: quality.value,
      text: text.text,
      note: quality.note,
      picture: () => drawDetections(scene.image, { detections: found, caption: text.text, note: quality.note }),
    });
  }

  private async qualityOf(
    scene: RenderedScene,
    text: SceneText,
    outputs: TextOutputs,
    row: number,
  ): Promise<{ value: number; note: string } | undefined> {
    switch (text.kind) {
      case 'caption':
        return this.addCaption(scene, text, outputs, row);
      case 'negative':
        return this.addNegative(scene, text, outputs, row);
      case 'expression':
        return this.addExpression(scene, text, outputs, row);
      case 'question':
        return this.model.config.do_qa ? this.addQuestion(text, outputs, row) : undefined;
    }
  }

  private addCaption(
    scene: RenderedScene,
    text: SceneText,
    outputs: TextOutputs,
    row: number,
  ): { value: number; note: string } {
    const present = text.phrases.filter(({ objects }) => objects.length > 0);
    const ranked = rankBoxesByPhrase(
      outputs.detection(row),
      scene.image,
      createPositiveMap(
        outputs.encoding(row),
        present.map(({ start, end }) => [[start, end]]),
      ),
    );
    const found = this.foundIn(scene, outputs, row);
    let hits = 0;
    const missed: string[] = [];
    present.forEach((phrase, index) => {
      const truth = phrase.objects.map((object) => scene.objects[object]!.box);
      const merged = [enclosingBoxXyxy(truth)];
      const kind = truth.length > 1 ? 'plural' : 'singular';
      const iou = (box: readonly number[], boxes: readonly (readonly number[])[]): number =>
        Math.max(...boxes.map((own) => iouXyxy(box, 0, own, 0)));
      const own = ranked[index]!.map(({ box }) => box);
      for (const [k, counters] of this.recall) {
        const any = own.slice(0, k).some((box) => iou(box, truth) >= hitIou);
        const whole = own.slice(0, k).some((box) => iou(box, merged) >= hitIou);
        for (const name of ['all', kind, ...phrase.needs.map((need) => `needs ${need}`)]) {
          counters.any.add(name, any);
          counters.merged.add(name, whole);
        }
      }
      for (const box of truth) {
        const boxes = found.filter((one) => isAbout(one, phrase) && iouXyxy(one.box, 0, box, 0) >= hitIou).length;
        this.boxed.add('all', boxes > 0);
        this.twice.add('all', boxes > 1);
      }
      const best = iou(own[0]!, truth);
      this.phraseIous.push(best);
      if (best >= hitIou) hits++;
      else missed.push(text.text.slice(phrase.start, phrase.end));
    });
    this.collectDetections(
      scene,
      present.flatMap(({ objects }) => objects),
      outputs,
      row,
    );
    return { value: present.length === 0 ? 1 : hits / present.length, note: `missed: ${missed.join('; ')}` };
  }

  /** What `detect` would show. */
  private foundIn(scene: RenderedScene, outputs: TextOutputs, row: number): readonly Detection[] {
    const { threshold } = this.options;
    return detectionsOf(outputs.detection(row), scene.image, outputs.encoding(row), { threshold });
  }

  private collectDetections(
    scene: RenderedScene,
    mentioned: readonly number[],
    outputs: TextOutputs,
    row: number,
  ): void {
    const found = detectionsOf(outputs.detection(row), scene.image, outputs.encoding(row), { threshold: 0 });
    this.detections.push({
      boxes: found.map(({ box }) => box),
      scores: found.map(({ score }) => score),
      truth: [...new Set(mentioned)].map((object) => scene.objects[object]!.box),
    });
  }

  private addNegative(
    scene: RenderedScene,
    text: SceneText,
    outputs: TextOutputs,
    row: number,
  ): { value: number; note: string } {
    const found = this.foundIn(scene, outputs, row);
    const absent = text.phrases.filter(({ objects }) => objects.length === 0);
    const boxed = absent.filter((phrase) => found.some((one) => isAbout(one, phrase)));
    absent.forEach((phrase) => this.absent.add('all', boxed.includes(phrase)));
    const names = boxed.map(({ start, end }) => text.text.slice(start, end));
    return {
      value: absent.length === 0 ? 1 : 1 - boxed.length / absent.length,
      note: `boxed though absent: ${names.join('; ')}`,
    };
  }

  private async addExpression(
    scene: RenderedScene,
    text: SceneText & { kind: 'expression' },
    outputs: TextOutputs,
    row: number,
  ): Promise<{ value: number; note: string }> {
    const best = referredDetectionOf(outputs.detection(row), scene.image, outputs.encoding(row));
    const truth = scene.objects[text.target]!;
    const iou = best === undefined ? 0 : iouXyxy(best.box, 0, truth.box, 0);
    for (const name of [
      'all',
      text.type,
      text.headFitsSeveral ? 'head fits several' : 'head fits one',
      `${scene.objects.length} objects`,
    ]) {
      this.precision.add(name, iou >= hitIou);
    }
    if (this.model.hasMasks && best !== undefined) {
      const [mask] = await this.model.predictMasks(outputs, row, [best.query]);
      this.maskIous.push(maskIou(unpackMask(mask!), maskRuns(scene, text.target)));
    }
    return { value: iou >= hitIou ? 1 : iou, note: `IoU ${iou.toFixed(2)} (${text.type})` };
  }

  private addQuestion(
    text: SceneText & { kind: 'question' },
    outputs: TextOutputs,
    row: number,
  ): { value: number; note: string } {
    const { answer } = answerOf(outputs.answers(row));
    const right = answer === text.answer;
    this.answers.add('all', right);
    this.answers.add(text.type, right);
    const counts = this.answerCounts.get(text.type) ?? new Map<string, number>();
    this.answerCounts.set(text.type, counts.set(text.answer, (counts.get(text.answer) ?? 0) + 1));
    return { value: Number(right), note: `said ${answer}, is ${text.answer}` };
  }

  report(): TaskReport {
    const { split } = this.options;
    const rows: Record<string, number> = {};
    const counts: Record<string, number> = {};
    const put = (name: string, value: number, count: number): void => {
      if (count === 0) return;
      rows[name] = value;
      counts[name] = count;
    };
    const putRates = (title: string, counter: HitCounter): void => {
      for (const name of counter.names)
        put(name === 'all' ? title : `${title}, ${name}`, counter.rate(name), counter.count(name));
    };
    for (const [k, { any, merged }] of this.recall) {
      putRates(`phrase Recall@${k}`, any);
      put(`phrase Recall@${k}, merged boxes`, merged.rate('all'), merged.count('all'));
    }
    put('phrase mean IoU', mean(this.phraseIous), this.phraseIous.length);
    putRates('referring precision@1', this.precision);
    put('mask mean IoU', mean(this.maskIous), this.maskIous.length);
    for (const threshold of [0.5, 0.7, 0.9]) {
      put(
        `mask precision@${threshold}`,
        mean(this.maskIous.map((iou) => Number(iou > threshold))),
        this.maskIous.length,
      );
    }
    putRates('question accuracy', this.answers);
    for (const [type, answers] of this.answerCounts) {
      const total = [...answers.values()].reduce((a, b) => a + b, 0);
      put(`majority answer, ${type}`, Math.max(...answers.values()) / total, total);
    }
    put('mentioned objects boxed', this.boxed.rate('all'), this.boxed.count('all'));
    put('mentioned objects boxed twice', this.twice.rate('all'), this.twice.count('all'));
    put('absent phrases boxed', this.absent.rate('all'), this.absent.count('all'));
    for (const [name, value] of Object.entries(this.averagePrecision())) put(name, value, this.detections.length);
    return {
      results: [
        { title: split, metrics: rows },
        { title: 'items', metrics: counts },
      ],
      warnings: [],
      worst: this.worst.all,
    };
  }

  /** Class-agnostic AP of all boxes for captions, one image a caption. */
  private averagePrecision(): Metrics {
    const { width, height } = { width: 10_000, height: 10_000 };
    const evaluator = new CocoApEvaluator(
      {
        images: this.detections.map((_, id) => ({ id: id + 1, width, height })),
        annotations: this.detections.flatMap(({ truth }, id) =>
          truth.map((box, index) => {
            const [x0, y0, x1, y1] = box as [number, number, number, number];
            return {
              id: (id + 1) * 100 + index,
              image_id: id + 1,
              category_id: 1,
              iscrowd: 0 as const,
              bbox: [x0, y0, x1 - x0, y1 - y0] as const,
              area: (x1 - x0) * (y1 - y0),
            };
          }),
        ),
      },
      { iouType: 'bbox' },
    );
    this.detections.forEach(({ boxes, scores }, id) => {
      evaluator.add({ image_id: id + 1, scores, boxes: boxes as [number, number, number, number][] });
    });
    const { bbox_AP50, bbox_AP } = evaluator.summarize();
    return { 'box AP@50': bbox_AP50!, 'box AP': bbox_AP! };
  }
}

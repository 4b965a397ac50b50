import { bootstrap, type Estimate, type Statistic } from './bootstrap.ts';
import { bestOverlap, MATCH_IOU } from '../../geometry/box-overlap.ts';
import { ERROR_KINDS, type ErrorKind } from './caption-errors.ts';
import { RECALL_RANKS, type Inspection } from './inspection.ts';
import { AT_50, AT_ALL } from './weighted-precision.ts';

/** A metric with its 95 % confidence interval over images. */
export interface MetricEstimate extends Estimate {
  /** Identifier of the metric. */
  readonly id: string;
  /** Title of the metric. */
  readonly title: string;
  /** Meaning of the metric. */
  readonly description: string;
}

/** Numbers of the phrases with one text. */
export interface ClassNumbers {
  /** Name of the class. */
  readonly name: string;
  /** Number of objects; 0 for phrases that are always absent. */
  readonly objects: number;
  /** Undefined without objects. */
  readonly ap50: Estimate | undefined;
  /** Precision at 101 levels of recall, IoU 0.5; undefined without objects. */
  readonly curve: readonly number[] | undefined;
  /** Number of errors of each kind. */
  readonly errors: Readonly<Record<ErrorKind, number>>;
}

/** Objects by what they are (rows) and by the phrase that their box got (columns). */
export interface Confusion {
  /** Names of rows and columns; the last row is "nothing there", the last column "missed". */
  readonly rows: readonly string[];
  /** Names of the columns. */
  readonly columns: readonly string[];
  /** (rows, columns). */
  readonly counts: readonly (readonly number[])[];
}

/** All numbers of a report. */
export interface ReportNumbers {
  /** Number of images. */
  readonly images: number;
  /** Number of captions. */
  readonly captions: number;
  /** Number of objects over all captions. */
  readonly objects: number;
  /** Number of phrases of absent objects. */
  readonly absent: number;
  /** Score that detections exceed. */
  readonly threshold: number;
  /** Score above which a phrase counts as present; undefined without a calibration. */
  readonly presence: number | undefined;
  /** Metrics with their confidence intervals. */
  readonly metrics: readonly MetricEstimate[];
  /** Precision of all phrases together at IoU 0.5 and at 0.75. */
  readonly curves: { readonly at50: readonly number[]; readonly at75: readonly number[] } | undefined;
  /** Classes with most objects first. */
  readonly classes: readonly ClassNumbers[];
  /** Confusion of the classes. */
  readonly confusion: Confusion;
  /** Number of errors of each kind. */
  readonly errors: Readonly<Record<ErrorKind, number>>;
  /** Detections that name words without ground truth. */
  readonly unjudged: number;
}

/** Seed of the bootstrap. */
const SEED = 1;
/** Ranked detections that the bootstrap goes through in all, which bounds its time to seconds. */
const WORK = 1e8;
const [MIN_ROUNDS, MAX_ROUNDS] = [100, 1000];
/** Classes in the confusion table and the table of errors; the others are summed up. */
export const SHOWN_CLASSES = 12;
const OTHERS = 'other phrases';
/** Index of the IoU threshold 0.75. */
const AT_75 = 5;

/** Computes the numbers of a report. */
export const reportNumbers = (inspection: Inspection): ReportNumbers => {
  const { captions, limits, imageCount: images } = inspection;
  const rounds = (work: number): number =>
    Math.max(MIN_ROUNDS, Math.min(MAX_ROUNDS, Math.floor(WORK / Math.max(1, work))));
  const definitions = metricDefinitions(inspection);
  const estimates = bootstrap(Object.fromEntries(definitions.map(({ id, statistic }) => [id, statistic])), {
    images,
    seed: SEED,
    rounds: rounds(12 * inspection.boxes.size + 2 * inspection.phrases.size),
  });
  const metrics = definitions
    .map(({ id, title, description }) => ({ id, title, description, ...estimates[id]! }))
    .filter(({ value }) => Number.isFinite(value));
  const names = [...inspection.byClass.keys()];
  const aps = bootstrap(
    Object.fromEntries(
      names.map((name): [string, Statistic] => [
        name,
        (weights) => inspection.byClass.get(name)!.average(weights, AT_50),
      ]),
    ),
    { images, seed: SEED, rounds: rounds(inspection.phrases.size) },
  );
  const errors = errorsByClass(inspection);
  const classes = names
    .map((name): ClassNumbers => {
      const table = inspection.byClass.get(name)!;
      return {
        name,
        objects: table.objectCount,
        ap50: table.objectCount === 0 ? undefined : aps[name]!,
        curve: table.curve(AT_50[0]!),
        errors: errors.get(name) ?? noErrors(),
      };
    })
    .sort((a, b) => b.objects - a.objects || (a.name < b.name ? -1 : 1));
  const at50 = inspection.phrases.curve(AT_50[0]!);
  return {
    images,
    captions: captions.length,
    objects: captions.reduce((sum, { judged }) => sum + judged.objects, 0),
    absent: captions.reduce((sum, own) => sum + own.absent, 0),
    threshold: limits.threshold,
    presence: limits.presence,
    metrics,
    curves: at50 === undefined ? undefined : { at50, at75: inspection.phrases.curve(AT_75)! },
    classes,
    confusion: confusionOf(
      inspection,
      classes.map(({ name }) => name),
    ),
    errors: sumOf(errors.values()),
    unjudged: captions.flatMap(({ judged }) => judged.detections).filter(({ outcome }) => outcome === 'unjudged')
      .length,
  };
};

interface MetricDefinition {
  readonly id: string;
  readonly title: string;
  readonly description: string;
  readonly statistic: Statistic;
}

const metricDefinitions = (inspection: Inspection): readonly MetricDefinition[] => {
  const { boxes, phrases, byClass, recalls, precision, recall, overlap, presentFound, absentFound, limits } =
    inspection;
  const above = `above the threshold ${limits.threshold}`;
  const metric = (id: string, title: string, description: string, statistic: Statistic): MetricDefinition => ({
    id,
    title,
    description,
    statistic,
  });
  const tables = [...byClass.values()].filter(({ objectCount }) => objectCount > 0);
  return [
    metric('box_ap_50', 'Box AP50', 'boxes regardless of their phrases, IoU 0.5', (w) => boxes.average(w, AT_50)),
    metric('box_ap', 'Box AP', 'the same, mean over IoU 0.5 to 0.95', (w) => boxes.average(w, AT_ALL)),
    metric('phrase_ap_50', 'Phrase AP50', 'boxes of each phrase, all phrases together, IoU 0.5', (w) =>
      phrases.average(w, AT_50),
    ),
    metric('class_ap_50', 'Class AP50', `mean over ${tables.length} phrases with objects, IoU 0.5`, (w) => {
      const values = tables.map((table) => table.average(w, AT_50)).filter((value) => !Number.isNaN(value));
      return values.length === 0 ? NaN : values.reduce((sum, value) => sum + value, 0) / values.length;
    }),
    ...RECALL_RANKS.map((k, r) =>
      metric(`phrase_recall_at_${k}`, `Phrase Recall@${k}`, `phrases with an object among their top ${k}`, (w) =>
        recalls[r]!.value(w),
      ),
    ),
    metric('precision', 'Precision', `correct boxes of all boxes ${above}`, (w) => precision.value(w)),
    metric('recall', 'Recall', `objects with a correct box ${above}`, (w) => recall.value(w)),
    metric('f1', 'F1', 'harmonic mean of both', (w) => {
      const [[correct, counted], [, objects]] = [precision.totals(w), recall.totals(w)];
      return counted + objects === 0 ? NaN : (2 * correct) / (counted + objects);
    }),
    metric('mean_iou', 'Mean IoU', 'overlap of the correct boxes with their objects', (w) => overlap.value(w)),
    metric('present_found', 'Present phrases', 'recognized as present', (w) => presentFound.value(w)),
    metric('absent_found', 'Absent phrases', 'recognized as absent', (w) => absentFound.value(w)),
  ];
};

const noErrors = (): Record<ErrorKind, number> => ({ missed: 0, twice: 0, place: 0, phrase: 0, absent: 0 });

const errorsByClass = ({ captions }: Inspection): Map<string, Record<ErrorKind, number>> => {
  const errors = new Map<string, Record<ErrorKind, number>>();
  const count = (name: string, kind: ErrorKind): void => {
    const own = errors.get(name) ?? noErrors();
    own[kind]++;
    errors.set(name, own);
  };
  for (const { classes, judged } of captions) {
    for (const { phrase } of judged.missed) count(classes[phrase]!, 'missed');
    for (const { phrase, outcome } of judged.detections)
      if (outcome !== 'correct' && outcome !== 'unjudged') count(classes[phrase]!, outcome);
  }
  return errors;
};

/** Sum of error counts. */
export const sumOf = (all: Iterable<Readonly<Record<ErrorKind, number>>>): Record<ErrorKind, number> => {
  const sum = noErrors();
  for (const errors of all) for (const kind of ERROR_KINDS) sum[kind] += errors[kind];
  return sum;
};

/**
 * Confusion of the phrases with most objects. A box of a phrase that lies on another object of the image counts for that
 * object, also if its phrase is in another caption.
 */
const confusionOf = (inspection: Inspection, names: readonly string[]): Confusion => {
  const shown = names.slice(0, SHOWN_CLASSES);
  const labels = names.length > shown.length ? [...shown, OTHERS] : shown;
  const rowOf = new Map(names.map((name, index) => [name, Math.min(index, labels.length - 1)]));
  const counts = Array.from({ length: labels.length + 1 }, () => new Array<number>(labels.length + 1).fill(0));
  const end = labels.length;
  const count = (object: string | undefined, found: string | undefined): void => {
    counts[object === undefined ? end : rowOf.get(object)!]![found === undefined ? end : rowOf.get(found)!]!++;
  };
  for (const { image, classes, judged } of inspection.captions) {
    const wrong = judged.detections.filter(({ outcome }) => ['phrase', 'place', 'absent'].includes(outcome));
    for (const { phrase, outcome } of judged.detections)
      if (outcome === 'correct') count(classes[phrase], classes[phrase]);
    for (const { box, phrase } of wrong) {
      const object = inspection.objectAt(image, box);
      count(object === classes[phrase] ? undefined : object, classes[phrase]);
    }
    for (const { box, phrase } of judged.missed) {
      const hasOtherName =
        bestOverlap(
          box,
          wrong.map((detection) => detection.box),
        ).iou >= MATCH_IOU;
      if (!hasOtherName) count(classes[phrase], undefined);
    }
  }
  return { rows: [...labels, 'nothing there'], columns: [...labels, 'missed'], counts };
};

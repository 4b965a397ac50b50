import type { DetectedObject } from '../../results/types.ts';
import type { JudgedCaption } from './caption-errors.ts';
import type { InspectedCaption } from './inspected-caption.ts';

/** A caption that a report shows with its image. */
export interface ShownCase extends Pick<InspectedCaption, 'image' | 'caption' | 'phrases' | 'pixels'> {
  readonly detections: readonly DetectedObject[];
  readonly judged: JudgedCaption;
  readonly classes: readonly string[];
}

/** F1 of the detections of a caption; 1 if there is nothing to find and nothing is found. */
export const qualityOf = ({ detections, missed, objects }: JudgedCaption): number => {
  const judged = detections.filter(({ outcome }) => outcome !== 'unjudged').length;
  return judged + objects === 0 ? 1 : (2 * (objects - missed.length)) / (judged + objects);
};

/** Number of errors of a caption. */
const errorsOf = ({ detections, missed }: JudgedCaption): number =>
  missed.length + detections.filter(({ outcome }) => outcome !== 'correct' && outcome !== 'unjudged').length;

/** The best and the worst captions, at most `limit` of each, and of each image one. */
export class ShownCases {
  private readonly right: ShownCase[] = [];
  private readonly wrong: ShownCase[] = [];

  constructor(private readonly limit: number) {}

  add(candidate: ShownCase): void {
    const isRight = qualityOf(candidate.judged) === 1;
    // Of the right ones those with most objects say most; of the wrong ones those with the lowest quality, then most errors.
    if (isRight) this.insert(this.right, candidate, (a, b) => b.judged.objects - a.judged.objects);
    else
      this.insert(
        this.wrong,
        candidate,
        (a, b) => qualityOf(a.judged) - qualityOf(b.judged) || errorsOf(b.judged) - errorsOf(a.judged),
      );
  }

  /** Captions without an error, those with most objects first. */
  get best(): readonly ShownCase[] {
    return this.right;
  }

  /** Captions with errors, the worst first. */
  get worst(): readonly ShownCase[] {
    return this.wrong;
  }

  private insert(list: ShownCase[], candidate: ShownCase, order: (a: ShownCase, b: ShownCase) => number): void {
    if (this.limit === 0) return;
    const same = list.findIndex(({ image }) => image === candidate.image);
    if (same >= 0) {
      if (order(candidate, list[same]!) >= 0) return;
      list.splice(same, 1);
    }
    const index = list.findIndex((other) => order(candidate, other) < 0);
    list.splice(index < 0 ? list.length : index, 0, candidate);
    if (list.length > this.limit) list.pop();
  }
}

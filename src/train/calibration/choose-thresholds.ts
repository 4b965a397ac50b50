/** A detection with its score, and whether it is correct. */
export interface ScoredDetection {
  readonly score: number;
  readonly isCorrect: boolean;
}

/** Score above which a detection counts, and the F1 that it has on the data. */
export interface ThresholdChoice {
  readonly threshold: number;
  readonly f1: number;
}

/** Score above which a phrase counts as present, and the fractions of phrases that it tells right. */
export interface PresenceChoice {
  readonly presence: number;
  /** Fraction of the present phrases that count as present. */
  readonly presentFound: number;
  /** Fraction of the absent phrases that count as absent. */
  readonly absentFound: number;
}

/**
 * The threshold with the largest F1 of detections, or the highest one whose F1 is at most `margin` below it; in the middle
 * between the scores on its two sides.
 *
 * @param boxes number of ground-truth boxes, at least 1
 */
export const chooseThreshold = (
  detections: readonly ScoredDetection[],
  boxes: number,
  margin: number = 0,
): ThresholdChoice => {
  const sorted = [...detections].sort((a, b) => b.score - a.score);
  const choices: ThresholdChoice[] = [{ threshold: middle(1, sorted[0]?.score ?? 0), f1: 0 }];
  let correct = 0;
  sorted.forEach(({ score, isCorrect }, index) => {
    correct += Number(isCorrect);
    const next = sorted[index + 1]?.score ?? 0;
    // Equal scores fall on the same side of any threshold.
    if (next === score) return;
    choices.push({ threshold: middle(score, next), f1: (2 * correct) / (index + 1 + boxes) });
  });
  const best = choices.reduce((largest, { f1 }) => Math.max(largest, f1), 0);
  return choices.find(({ f1 }) => f1 >= best - margin)!;
};

/**
 * The score that divides present from absent phrases best: the smaller of the two fractions that are told right is as large
 * as possible. Among equal choices, the one in the widest gap between scores.
 *
 * @param present scores of phrases whose objects the image shows, at least one
 * @param absent scores of phrases whose objects it does not show, at least one
 */
export const choosePresence = (present: readonly number[], absent: readonly number[]): PresenceChoice => {
  const scores = [
    ...present.map((score) => ({ score, isPresent: true })),
    ...absent.map((score) => ({ score, isPresent: false })),
  ].sort((a, b) => a.score - b.score);
  let best: (PresenceChoice & { readonly gap: number }) | undefined;
  let [missed, recognized] = [0, 0];
  const consider = (low: number, high: number): void => {
    const presentFound = 1 - missed / present.length;
    const absentFound = recognized / absent.length;
    const choice = { presence: middle(low, high), presentFound, absentFound, gap: high - low };
    if (best === undefined || isBetter(choice, best)) best = choice;
  };
  consider(0, scores[0]!.score);
  scores.forEach(({ score, isPresent }, index) => {
    if (isPresent) missed++;
    else recognized++;
    const next = scores[index + 1]?.score ?? 1;
    if (next !== score) consider(score, next);
  });
  const { gap: _, ...chosen } = best!;
  return chosen;
};

type Candidate = PresenceChoice & { readonly gap: number };

const isBetter = (a: Candidate, b: Candidate): boolean => {
  const [worseA, worseB] = [Math.min(a.presentFound, a.absentFound), Math.min(b.presentFound, b.absentFound)];
  if (worseA !== worseB) return worseA > worseB;
  const [sumA, sumB] = [a.presentFound + a.absentFound, b.presentFound + b.absentFound];
  return sumA === sumB ? a.gap > b.gap : sumA > sumB;
};

/** Middle of two scores, rounded to four digits if that stays between them. */
const middle = (a: number, b: number): number => {
  const value = (a + b) / 2;
  const rounded = Math.round(value * 1e4) / 1e4;
  return rounded >= Math.min(a, b) && rounded < Math.max(a, b) ? rounded : value;
};

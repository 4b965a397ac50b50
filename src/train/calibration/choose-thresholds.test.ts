import { describe, expect, it } from 'vitest';
import { choosePresence, chooseThreshold } from './choose-thresholds.ts';

describe('chooseThreshold', () => {
  it('has the largest F1, between two scores', () => {
    const detections = [0.9, 0.8, 0.3, 0.6, 0.2].map((score) => ({ score, isCorrect: score > 0.5 }));
    expect(chooseThreshold(detections, 3)).toEqual({ threshold: 0.45, f1: 1 });
  });

  it('is the highest one within the margin', () => {
    const detections = [0.9, 0.8, 0.7, 0.6].map((score) => ({ score, isCorrect: true }));
    expect(chooseThreshold(detections, 4, 0.1).threshold).toBeCloseTo(0.3, 6);
    expect(chooseThreshold(detections, 4, 0.2)).toEqual({ threshold: 0.65, f1: 6 / 7 });
    expect(chooseThreshold(detections, 4, 1).f1).toBe(0);
  });

  it('keeps equal scores on one side, and works without any detection', () => {
    const detections = [true, false].map((isCorrect) => ({ score: 0.5, isCorrect }));
    expect(chooseThreshold(detections, 1)).toEqual({ threshold: 0.25, f1: 2 / 3 });
    expect(chooseThreshold([], 1)).toEqual({ threshold: 0.5, f1: 0 });
  });
});

describe('choosePresence', () => {
  it('lies in the gap between absent and present phrases', () => {
    expect(choosePresence([0.9, 0.7], [0.1, 0.2])).toEqual({ presence: 0.45, presentFound: 1, absentFound: 1 });
  });

  it('balances the errors of both kinds where they overlap', () => {
    const present = [0.9, 0.8, 0.7, 0.3];
    const absent = [0.1, 0.2, 0.25, 0.75];
    expect(choosePresence(present, absent)).toEqual({ presence: 0.275, presentFound: 1, absentFound: 0.75 });
    // Fewer absent phrases told right would not help: the smaller fraction decides.
    expect(choosePresence([0.9, 0.3], [0.1, 0.75])).toMatchObject({ presentFound: 1, absentFound: 0.5 });
  });

  it('holds for equal scores of all phrases', () => {
    expect(choosePresence([0.5], [0.5])).toMatchObject({ presentFound: 1, absentFound: 0 });
  });
});

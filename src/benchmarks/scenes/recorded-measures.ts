import type { SceneMeasures } from './scene-metrics.ts';

/** Name of a method of `SceneMeasures`. */
type Measure = keyof SceneMeasures;

/** A call of a method of `SceneMeasures`: its name and its arguments, which can be cloned. */
export type RecordedMeasure = { [Name in Measure]: readonly [Name, ...Parameters<SceneMeasures[Name]>] }[Measure];

/** Records measurements in one process, to be added to the metrics of another one. */
export const recordMeasures = (calls: RecordedMeasure[]): SceneMeasures => ({
  addPhrase: (...args) => void calls.push(['addPhrase', ...args]),
  addMentionedObject: (...args) => void calls.push(['addMentionedObject', ...args]),
  addDetections: (...args) => void calls.push(['addDetections', ...args]),
  addAnswer: (...args) => void calls.push(['addAnswer', ...args]),
  addAbsent: (...args) => void calls.push(['addAbsent', ...args]),
  addExpression: (...args) => void calls.push(['addExpression', ...args]),
  addMask: (...args) => void calls.push(['addMask', ...args]),
});

/** Adds recorded measurements to metrics, in their order. */
export const addRecorded = (metrics: SceneMeasures, calls: readonly RecordedMeasure[]): void => {
  for (const [name, ...args] of calls) (metrics[name] as (...args: readonly unknown[]) => void)(...args);
};

import { expect } from 'vitest';
import type { DetectionResult } from '../../src/index.ts';

/** Ten images, with captions about scenes. */
export const IMAGES = [
  'examples/scene.png',
  ...[0, 1, 2, 3].map((index) => `examples/scenes/scene${index}.png`),
  ...[1, 2, 3, 4, 5].map((index) => `examples/finetune/pictures/val-${index}.png`),
];
export const CAPTIONS = ['a red cube and a green ball', 'the large object', 'a small blue cylinder left of a cube'];
/** Options of all detections: a low threshold compares more boxes. */
export const OPTIONS = { threshold: 0.05 };

/** Largest difference of two results' boxes in pixels. Queries, spans and phrases must be equal. */
export const boxDifference = (mine: readonly DetectionResult[], theirs: readonly DetectionResult[]): number => {
  let largest = 0;
  expect(mine.length).toBe(theirs.length);
  for (const [index, { detections, phrases }] of mine.entries()) {
    const other = theirs[index]!;
    const byQuery = new Map(other.detections.map((detection) => [detection.query, detection]));
    expect(detections.map(({ query }) => query).sort()).toEqual([...byQuery.keys()].sort());
    expect(phrases.map(({ start, end }) => [start, end])).toEqual(other.phrases.map(({ start, end }) => [start, end]));
    for (const { query, box, spans } of detections) {
      const found = byQuery.get(query)!;
      expect(spans.map(({ start, end }) => [start, end])).toEqual(found.spans.map(({ start, end }) => [start, end]));
      largest = Math.max(largest, ...box.map((edge, side) => Math.abs(edge - found.box[side]!)));
    }
  }
  return largest;
};

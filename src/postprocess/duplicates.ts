import { iouXyxy } from '../geometry/box-overlap.ts';
import type { DetectedObject } from '../results/types.ts';

/**
 * Class-aware non-maximum suppression: drops each detection whose box overlaps that of a better one with the same label by
 * more than `iou`. Labels are compared without article and case.
 *
 * @param detections best first
 */
export const withoutDuplicates = <T extends Pick<DetectedObject, 'box' | 'label'>>(
  detections: readonly T[],
  iou: number,
): T[] => {
  const kept: T[] = [];
  for (const detection of detections) {
    const label = bareLabel(detection.label);
    const isDuplicate = kept.some(
      (better) => bareLabel(better.label) === label && iouXyxy(better.box, 0, detection.box, 0) > iou,
    );
    if (!isDuplicate) kept.push(detection);
  }
  return kept;
};

const bareLabel = (label: string): string => label.toLowerCase().replace(/^(?:a|an|the)\s+/, '');

import type { MetricDefinition } from '../../metrics/metric-definition.ts';

const AREAS = [
  ['s', 'small', 'objects below 32² pixels'],
  ['m', 'medium', 'objects from 32² to 96² pixels'],
  ['l', 'large', 'objects above 96² pixels'],
] as const;

/**
 * Average precision of one kind of overlap, by IoU threshold and by size of the objects.
 *
 * @param kind prefix of the identifiers, e.g. `box`
 * @param iouType prefix of the titles
 */
export const apMetrics = (kind: 'box' | 'mask', iouType: 'bbox' | 'segm'): readonly MetricDefinition[] => [
  { id: `${kind}_ap`, title: `${iouType}_AP`, description: 'average precision, mean over IoU 0.5 to 0.95' },
  { id: `${kind}_ap_50`, title: `${iouType}_AP50`, description: 'average precision at IoU 0.5' },
  { id: `${kind}_ap_75`, title: `${iouType}_AP75`, description: 'average precision at IoU 0.75' },
  ...AREAS.map(([letter, name, objects]) => ({
    id: `${kind}_ap_${name}`,
    title: `${iouType}_AP${letter}`,
    description: `average precision of ${objects}`,
    isDetail: true,
  })),
];

/**
 * Average recall with a limited number of detections, over all objects and by size.
 *
 * @param limits numbers of detections, the last one also by size
 */
export const arMetrics = (
  kind: 'box' | 'mask',
  iouType: 'bbox' | 'segm',
  limits: readonly (number | 'all')[],
): readonly MetricDefinition[] => [
  ...limits.map((limit) => ({
    id: `${kind}_ar_at_${limit}`,
    title: `${iouType}_AR@${limit}`,
    description: `average recall with ${limit} detections`,
    isDetail: true,
  })),
  ...AREAS.map(([letter, name, objects]) => ({
    id: `${kind}_ar_${name}`,
    title: `${iouType}_AR${letter}@${limits.at(-1)!}`,
    description: `average recall of ${objects}`,
    isDetail: true,
  })),
];

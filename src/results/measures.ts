import { boxXyxyToXywh, clampBoxXyxy, type BoxXyxy } from '../geometry/boxes.ts';
import { maskArea, unpackMask, type PackedCocoRle } from '../geometry/run-lengths.ts';
import type { DetectedObject } from './types.ts';

/** Measures of a detection that follow from its box, its mask and the size of the image. */
export type DetectionMeasures = Pick<DetectedObject, 'clampedBox' | 'xywh' | 'xywhn' | 'area'>;

/** Size of an image in pixels. */
interface PixelSize {
  readonly width: number;
  readonly height: number;
}

/** Measures of a box, or of a box with its mask, in an image. */
export const measuresOf = (box: BoxXyxy, size: PixelSize, mask?: PackedCocoRle): DetectionMeasures => {
  const clampedBox = clampBoxXyxy(box, size);
  const xywh = boxXyxyToXywh(clampedBox);
  const [x, y, w, h] = xywh;
  return {
    clampedBox,
    xywh,
    xywhn: [x / size.width, y / size.height, w / size.width, h / size.height],
    area: mask === undefined ? w * h : maskArea(unpackMask(mask)),
  };
};

/** A result read from JSON, with the measures of its detections. Results of releases before 0.2 have none. */
export const withMeasures = (json: unknown): unknown => {
  if (!isRecord(json) || typeof json['width'] !== 'number' || typeof json['height'] !== 'number') return json;
  const size = { width: json['width'], height: json['height'] };
  const measured = (value: unknown): unknown => {
    if (!isRecord(value) || 'xywh' in value || !isBox(value['box'])) return value;
    const mask = value['mask'] as PackedCocoRle | undefined;
    try {
      return { ...measuresOf(value['box'], size, mask), ...value };
    } catch {
      return value; // A broken mask is reported where it is read.
    }
  };
  const { detections } = json;
  const own: Record<string, unknown> = { ...json };
  if (Array.isArray(detections)) own['detections'] = detections.map(measured);
  for (const key of ['best', 'bestBelowThreshold']) if (key in json) own[key] = measured(json[key]);
  return own;
};

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null;

const isBox = (value: unknown): value is BoxXyxy =>
  Array.isArray(value) && value.length === 4 && value.every((side) => typeof side === 'number');

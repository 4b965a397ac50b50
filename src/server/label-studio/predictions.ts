import { ClassMapping, labelOfPhrase } from '../../datasets/export/class-mapping.ts';
import { labelStudioRegions } from '../../datasets/formats/labelstudio/write.ts';
import { boxXyxyToXywh, clampBoxXyxy } from '../../geometry/boxes.ts';
import type { DetectionResult } from '../../results/types.ts';
import type { LabelConfig } from './label-config.ts';

/** A prediction of Label Studio: regions on one task. */
export interface Prediction {
  readonly model_version: string;
  readonly score: number;
  readonly result: readonly Record<string, unknown>[];
}

/** Caption of a task: its own, or else all labels of the interface. Undefined if there is neither. */
export const captionOf = (
  data: Readonly<Record<string, unknown>>,
  { captionKey, rectangles, polygons }: LabelConfig,
): string | undefined => {
  for (const key of [captionKey, 'caption', 'text']) {
    const own = key !== undefined && Object.hasOwn(data, key) ? data[key] : undefined;
    if (typeof own === 'string' && own.trim() !== '') return own;
  }
  const labels = [...new Set([...(rectangles?.labels ?? []), ...(polygons?.labels ?? [])])];
  return labels.length === 0 ? undefined : labels.join(', ');
};

/**
 * Regions for the objects of a result. Phrases become the label that they name; a phrase that names none of the interface's
 * labels is left out, and an interface without labels takes every phrase.
 */
export const predictionOf = (result: DetectionResult, config: LabelConfig): Prediction => {
  const { width, height, image: name, model } = result;
  const regions: Record<string, unknown>[] = [];
  const scores: number[] = [];
  for (const [index, { box, score, label: phrase, spans, mask }] of result.detections.entries()) {
    const control = mask !== undefined && config.polygons !== undefined ? config.polygons : config.rectangles;
    if (control === undefined) continue;
    const label =
      control.labels.length === 0 ? labelOfPhrase(phrase) : new ClassMapping(control.labels).classOf(phrase);
    if (label === undefined || label === '') continue;
    const object = {
      label,
      bbox: boxXyxyToXywh(clampBoxXyxy(box, result)),
      score,
      mask: control === config.polygons ? mask : undefined,
      phrases: spans.map(({ text }) => text),
    };
    const own = labelStudioRegions({ name, width, height }, object, index);
    regions.push(...own.map((region) => ({ ...region, from_name: control.name, to_name: config.image.name })));
    scores.push(score);
  }
  const mean = scores.length === 0 ? 0 : scores.reduce((a, b) => a + b, 0) / scores.length;
  return { model_version: model, score: mean, result: regions };
};

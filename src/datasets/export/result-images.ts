import type { BoxXywh } from '../../geometry/boxes.ts';
import type { DetectedObject, DetectionResult } from '../../results/types.ts';
import type { Remarks } from '../preparation/remarks.ts';
import { labelOfPhrase, type ClassMapping } from './class-mapping.ts';
import type { ExportedImage, ExportedObject } from './exporter.ts';

/** Label of a detection that refers to no word. */
const NO_LABEL = 'object';

/** Fields of a result that an export needs. */
export type ExportableResult = Pick<DetectionResult, 'image' | 'width' | 'height' | 'caption' | 'detections'>;

/**
 * Images of results, in their order. Consecutive results of the same image (several captions) become one. With a mapping,
 * detections that name no class are left out and counted by phrase.
 */
export async function* imagesOfResults(
  results: AsyncIterable<ExportableResult> | Iterable<ExportableResult>,
  mapping: ClassMapping | undefined,
  unmapped: Remarks,
): AsyncGenerator<ExportedImage> {
  let open:
    { image: Omit<ExportedImage, 'captions' | 'objects'>; captions: string[]; objects: ExportedObject[] } | undefined;
  for await (const { image, width, height, caption, detections } of results) {
    const name = image.replaceAll('\\', '/');
    if (open !== undefined && (open.image.name !== name || open.captions.includes(caption))) {
      yield { ...open.image, captions: open.captions, objects: open.objects };
      open = undefined;
    }
    open ??= { image: { name, width, height }, captions: [], objects: [] };
    open.captions.push(caption);
    for (const detection of detections) {
      const object = objectOf(detection, name, mapping, unmapped);
      if (object !== undefined) open.objects.push(object);
    }
  }
  if (open !== undefined) yield { ...open.image, captions: open.captions, objects: open.objects };
}

const objectOf = (
  { xywh, score, spans, mask }: DetectedObject,
  image: string,
  mapping: ClassMapping | undefined,
  unmapped: Remarks,
): ExportedObject | undefined => {
  const phrases = [...new Set(spans.map(({ text }) => text))];
  const bbox: BoxXywh = xywh;
  if (!(bbox[2] > 0 && bbox[3] > 0)) {
    unmapped.add('boxes outside of the image', image);
    return undefined;
  }
  const mapped = mapping === undefined ? labelOfPhrase(phrases[0] ?? NO_LABEL) : firstClass(phrases, mapping);
  if (mapped === undefined) {
    unmapped.add(`phrases that name no class: "${(phrases[0] ?? '').slice(0, 100)}"`, image);
    return undefined;
  }
  return { label: mapped, bbox, score, mask, phrases };
};

/** Class of the best phrase that names one. */
const firstClass = (phrases: readonly string[], mapping: ClassMapping): string | undefined => {
  for (const phrase of phrases) {
    const found = mapping.classOf(phrase);
    if (found !== undefined) return found;
  }
  return undefined;
};

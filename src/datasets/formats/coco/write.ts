import { maskArea, unpackMask } from '../../../geometry/run-lengths.ts';
import { boxPixels, pixels, polygonsOf, scoreDigits } from '../../export/coordinates.ts';
import type { ExportContext, ExportedObject, Exporter } from '../../export/exporter.ts';
import { GrowingFile } from '../../../files/growing-file.ts';
import { CocoIds } from './ids.ts';

/** Mask and area of an annotation, in the form that is wanted; run lengths by default, which lose nothing. */
const segmentationOf = (object: ExportedObject, { masks = 'rle' }: ExportContext): Record<string, unknown> => {
  if (object.mask === undefined) return { area: pixels(object.bbox[2] * object.bbox[3]) };
  const area = maskArea(unpackMask(object.mask));
  const polygons = masks === 'polygons' ? polygonsOf(object).map((ring) => ring.map(pixels)) : undefined;
  return { area, segmentation: polygons ?? object.mask };
};

/**
 * Writer of a COCO data set: images, categories and annotations with scores. Category ids count from 1 in the order of the
 * class list. Phrases stand in `phrases` of an annotation, captions in `captions` of an image.
 */
export const cocoExporter: Exporter = {
  name: 'coco',
  title: 'COCO data set',
  target: 'file',
  async open(path, context) {
    const file = await GrowingFile.open(path);
    const images: string[] = [];
    let annotations = 0;
    await file.write(
      `{"info":{"description":"Detections of ${JSON.stringify(context.model).slice(1, -1)}"},\n"annotations":[`,
    );
    return {
      async add({ name, width, height, captions, objects }) {
        const imageId = images.length + 1;
        images.push(JSON.stringify({ id: imageId, file_name: name, width, height, captions }));
        for (const object of objects) {
          const annotation = {
            id: ++annotations,
            image_id: imageId,
            category_id: context.classes.idOf(object.label) + 1,
            bbox: boxPixels(object.bbox),
            ...segmentationOf(object, context),
            iscrowd: 0,
            score: object.score === undefined ? undefined : scoreDigits(object.score),
            phrases: object.phrases,
          };
          await file.writeEntry(annotation);
        }
      },
      async finish() {
        const categories = context.classes.names.map((name, id) => JSON.stringify({ id: id + 1, name }));
        await file.finish(
          `\n],\n"images":[\n${images.join(',\n')}\n],\n"categories":[\n${categories.join(',\n')}\n]}\n`,
        );
      },
      abort: () => file.discard(),
    };
  },
};

/** Writer of the list of results that pycocotools' `loadRes` reads, with the ids of an annotation file. */
export const cocoResultsExporter: Exporter = {
  name: 'coco-results',
  title: "results for pycocotools' loadRes",
  target: 'file',
  needsAnnotations: true,
  async open(path, context) {
    const ids = await CocoIds.read(context.annotations!);
    const file = await GrowingFile.open(path);
    await file.write('[');
    return {
      async add({ name, objects }) {
        const imageId = ids.imageOf(name);
        if (imageId === undefined) {
          context.dropped.add('images that the annotation file does not have', name);
          return;
        }
        for (const object of objects) {
          const category = ids.categoryOf(object.label);
          if (category === undefined) {
            context.dropped.add('labels that are no category of the annotation file', `"${object.label}"`);
            continue;
          }
          const result = {
            image_id: imageId,
            category_id: category,
            bbox: boxPixels(object.bbox),
            score: scoreDigits(object.score ?? 1),
            segmentation: object.mask,
          };
          await file.writeEntry(result);
        }
      },
      finish: () => file.finish('\n]\n'),
      abort: () => file.discard(),
    };
  },
};

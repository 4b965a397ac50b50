import { createHash } from 'node:crypto';
import { fraction, pointsOf, polygonsOf, scoreDigits } from '../../export/coordinates.ts';
import type { ExportedImage, ExportedObject, Exporter } from '../../export/exporter.ts';
import { GrowingFile } from '../../../files/growing-file.ts';

/** Address at which Label Studio serves files of a local storage; the path of the image follows. */
const LOCAL_FILES = '/data/local-files/?d=';

/**
 * Writer of Label Studio's tasks with pre-annotations (`predictions`): rectangles in percent, polygons for masks. Regions
 * belong to the controls `label` and `image` of the labeling interface. Phrases stand in the text of a region's meta data.
 */
export const labelStudioExporter: Exporter = {
  name: 'labelstudio',
  title: 'Label Studio tasks with predictions',
  target: 'file',
  async open(path, { classes, model, imagePrefix = LOCAL_FILES }) {
    const file = await GrowingFile.open(path);
    await file.write('[');
    return {
      async add(image) {
        for (const { label } of image.objects) classes.idOf(label);
        const result = image.objects.flatMap((object, index) => labelStudioRegions(image, object, index));
        const scores = image.objects.map(({ score }) => score ?? 1);
        const task = {
          data: { image: `${imagePrefix}${image.name}`, captions: image.captions },
          predictions: [
            {
              model_version: model,
              score: scores.length === 0 ? 0 : scoreDigits(scores.reduce((a, b) => a + b, 0) / scores.length),
              result,
            },
          ],
        };
        await file.writeEntry(task);
      },
      finish: () => file.finish('\n]\n'),
      abort: () => file.discard(),
    };
  },
};

/**
 * Regions of one object: a rectangle, or the polygons of its mask. They belong to the controls `label` and `image`.
 *
 * @param index of the object among those of the image, which makes the ids of regions different
 */
export const labelStudioRegions = (
  image: Pick<ExportedImage, 'name' | 'width' | 'height'>,
  object: ExportedObject,
  index: number,
): Record<string, unknown>[] => {
  const { width, height } = image;
  const percentX = (value: number): number => fraction((100 * value) / width);
  const percentY = (value: number): number => fraction((100 * value) / height);
  const shared = {
    from_name: 'label',
    to_name: 'image',
    original_width: width,
    original_height: height,
    image_rotation: 0,
    score: object.score === undefined ? undefined : scoreDigits(object.score),
    meta: { text: object.phrases },
  };
  // Ids need to be unique within a task, and the same in every export.
  const idOf = (part: number): string =>
    createHash('sha256')
      .update(JSON.stringify([image.name, index, part, object.bbox]))
      .digest('base64url')
      .slice(0, 10);
  const polygons = polygonsOf(object);
  if (polygons.length > 0)
    return polygons.map((ring, part) => ({
      id: idOf(part),
      type: 'polygonlabels',
      ...shared,
      value: {
        points: pointsOf(ring).map(([x, y]) => [percentX(x), percentY(y)]),
        closed: true,
        polygonlabels: [object.label],
      },
    }));
  const [x, y, w, h] = object.bbox;
  const value = { x: percentX(x), y: percentY(y), width: percentX(w), height: percentY(h), rotation: 0 };
  return [{ id: idOf(0), type: 'rectanglelabels', ...shared, value: { ...value, rectanglelabels: [object.label] } }];
};

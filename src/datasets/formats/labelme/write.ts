import { join } from 'node:path';
import { replaceFile } from '../../../files/atomic-file.ts';
import { makeFolder } from '../../../files/make-folder.ts';
import { cornersOf, pixels, pointsOf, polygonsOf } from '../../export/coordinates.ts';
import type { ExportedObject, Exporter } from '../../export/exporter.ts';
import { ImageFileNames } from '../../export/image-files.ts';
import { reportUnheld } from '../../export/unheld-values.ts';

/** Version of LabelMe whose files these are. */
const LABELME_VERSION = '5.5.0';

/**
 * Writer of LabelMe's JSON files, one for each image, without the image's data: rectangles, and polygons for masks, whose
 * parts share a group id. Phrases stand in the description of a shape.
 */
export const labelmeExporter: Exporter = {
  name: 'labelme',
  title: 'LabelMe',
  target: 'folder',
  async open(folder, { classes, dropped }) {
    await makeFolder(folder);
    const names = new ImageFileNames();
    return {
      async add(image) {
        const { name, width, height, objects } = image;
        for (const { label } of objects) classes.idOf(label);
        reportUnheld(image, ['scores'], dropped);
        const content = {
          version: LABELME_VERSION,
          flags: {},
          shapes: objects.flatMap(shapesOf),
          imagePath: name,
          imageData: null,
          imageHeight: height,
          imageWidth: width,
        };
        await replaceFile(join(folder, `${names.stemFor(name)}.json`), `${JSON.stringify(content, undefined, 2)}\n`);
      },
      finish: () => Promise.resolve(),
      abort: () => Promise.resolve(),
    };
  },
};

const shapesOf = (object: ExportedObject, index: number): Record<string, unknown>[] => {
  const shape = { label: object.label, description: object.phrases.join('; '), flags: {} };
  const polygons = polygonsOf(object);
  const [x0, y0, x1, y1] = cornersOf(object.bbox);
  if (polygons.length === 0)
    return [{ ...shape, points: [[x0, y0], [x1, y1]], group_id: null, shape_type: 'rectangle' }]; // prettier-ignore
  const groupId = polygons.length > 1 ? index + 1 : null;
  return polygons.map((ring) => ({
    ...shape,
    points: pointsOf(ring.map(pixels)),
    group_id: groupId,
    shape_type: 'polygon',
  }));
};

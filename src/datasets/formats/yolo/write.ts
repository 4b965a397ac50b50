import { join } from 'node:path';
import { replaceFile } from '../../../files/atomic-file.ts';
import { makeFolder } from '../../../files/make-folder.ts';
import { fraction, largestPolygonOf } from '../../export/coordinates.ts';
import type { ExportedImage, ExportedObject, Exporter } from '../../export/exporter.ts';
import { ImageFileNames } from '../../export/image-files.ts';
import { reportUnheld } from '../../export/unheld-values.ts';

/**
 * Writer of YOLO labels: `labels/NAME.txt` for each image, in the order of the classes of `data.yaml`. Images are not copied:
 * they belong into `images/` beside. An object with a mask is an outline of its largest part, else a box.
 */
export const yoloExporter: Exporter = {
  name: 'yolo',
  title: 'YOLO labels with data.yaml',
  target: 'folder',
  async open(folder, { classes, dropped }) {
    await makeFolder(join(folder, 'labels'));
    const names = new ImageFileNames();
    return {
      async add(image) {
        reportUnheld(image, ['scores', 'phrases'], dropped);
        const lines = image.objects.map((object) => {
          const outline = largestPolygonOf(object, image.name, dropped);
          return `${classes.idOf(object.label)} ${coordinatesOf(object, outline, image).join(' ')}\n`;
        });
        await replaceFile(join(folder, 'labels', `${names.stemFor(image.name)}.txt`), lines.join(''));
      },
      async finish() {
        const yaml = { path: '.', train: 'images', val: 'images', nc: classes.names.length, names: [...classes.names] };
        const { stringify } = await import('yaml');
        await replaceFile(join(folder, 'data.yaml'), stringify(yaml));
      },
      abort: () => Promise.resolve(),
    };
  },
};

const coordinatesOf = (
  { bbox }: ExportedObject,
  outline: readonly number[] | undefined,
  { width, height }: ExportedImage,
): number[] => {
  if (outline !== undefined) return outline.map((value, i) => fraction(value / (i % 2 === 0 ? width : height)));
  const [x, y, w, h] = bbox;
  return [(x + w / 2) / width, (y + h / 2) / height, w / width, h / height].map(fraction);
};

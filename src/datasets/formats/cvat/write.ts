import { cornersOf, largestPolygonOf, pixels, pointsOf } from '../../export/coordinates.ts';
import type { ExportedObject, Exporter } from '../../export/exporter.ts';
import { GrowingFile } from '../../../files/growing-file.ts';
import { reportUnheld } from '../../export/unheld-values.ts';
import { xmlText } from '../../export/xml-text.ts';

/** Writer of CVAT's XML for images 1.1: boxes, and polygons for masks. Create the labels in the task before the import. */
export const cvatExporter: Exporter = {
  name: 'cvat',
  title: 'CVAT XML for images 1.1',
  target: 'file',
  async open(path, { classes, dropped }) {
    const file = await GrowingFile.open(path);
    let images = 0;
    await file.write('<?xml version="1.0" encoding="utf-8"?>\n<annotations>\n  <version>1.1</version>\n');
    return {
      async add(image) {
        const { name, width, height, objects } = image;
        for (const { label } of objects) classes.idOf(label);
        reportUnheld(image, ['scores', 'phrases'], dropped);
        const shapes = objects
          .map((object) => `    ${shapeXml(object, largestPolygonOf(object, name, dropped))}\n`)
          .join('');
        await file.write(
          `  <image id="${images++}" name="${xmlText(name)}" width="${width}" height="${height}">\n${shapes}  </image>\n`,
        );
      },
      finish: () => file.finish('</annotations>\n'),
      abort: () => file.discard(),
    };
  },
};

const shapeXml = (object: ExportedObject, outline: readonly number[] | undefined): string => {
  const shared = `label="${xmlText(object.label)}" source="auto" occluded="0"`;
  if (outline !== undefined) {
    const points = pointsOf(outline.map(pixels)).map((point) => point.join(','));
    return `<polygon ${shared} points="${points.join(';')}" z_order="0"></polygon>`;
  }
  const [x0, y0, x1, y1] = cornersOf(object.bbox);
  return `<box ${shared} xtl="${x0}" ytl="${y0}" xbr="${x1}" ybr="${y1}" z_order="0"></box>`;
};

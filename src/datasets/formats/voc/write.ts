import { join, posix } from 'node:path';
import { replaceFile } from '../../../files/atomic-file.ts';
import { makeFolder } from '../../../files/make-folder.ts';
import type { BoxXywh } from '../../../geometry/boxes.ts';
import type { Exporter } from '../../export/exporter.ts';
import { ImageFileNames } from '../../export/image-files.ts';
import { reportUnheld } from '../../export/unheld-values.ts';
import { xmlText } from '../../export/xml-text.ts';
import { OWN_VOC_SOURCE } from './own-source.ts';

/**
 * Writer of Pascal VOC: one XML file for each image, with integer corners that count pixels from 1, as in the original
 * files.
 */
export const vocExporter: Exporter = {
  name: 'voc',
  title: 'Pascal VOC',
  target: 'folder',
  async open(folder, { classes, dropped }) {
    await makeFolder(folder);
    const names = new ImageFileNames();
    return {
      async add(image) {
        const { name, width, height, objects } = image;
        for (const { label } of objects) classes.idOf(label);
        reportUnheld(image, ['scores', 'masks', 'phrases'], dropped);
        const xml = [
          '<annotation>',
          `  <folder>${xmlText(posix.basename(posix.dirname(name)))}</folder>`,
          `  <filename>${xmlText(posix.basename(name))}</filename>`,
          `  <source><database>Unknown</database><annotation>${OWN_VOC_SOURCE}</annotation></source>`,
          `  <size><width>${width}</width><height>${height}</height><depth>3</depth></size>`,
          '  <segmented>0</segmented>',
          ...objects.map(({ label, bbox }) => objectXml(label, bbox, width, height)),
          '</annotation>',
          '',
        ];
        await replaceFile(join(folder, `${names.stemFor(name)}.xml`), xml.join('\n'));
      },
      finish: () => Promise.resolve(),
      abort: () => Promise.resolve(),
    };
  },
};

const objectXml = (label: string, [x, y, w, h]: BoxXywh, width: number, height: number): string => {
  // The corners are the first and the last pixel of the box, at least one.
  const range = (low: number, high: number, size: number): [number, number] => {
    const first = Math.min(Math.max(Math.round(low) + 1, 1), size);
    return [first, Math.min(Math.max(Math.round(high), first), size)];
  };
  const [[x0, x1], [y0, y1]] = [range(x, x + w, width), range(y, y + h, height)];
  return [
    '  <object>',
    `    <name>${xmlText(label)}</name>`,
    '    <pose>Unspecified</pose><truncated>0</truncated><difficult>0</difficult>',
    `    <bndbox><xmin>${x0}</xmin><ymin>${y0}</ymin><xmax>${x1}</xmax><ymax>${y1}</ymax></bndbox>`,
    '  </object>',
  ].join('\n');
};

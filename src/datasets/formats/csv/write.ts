import { cornersOf, scoreDigits } from '../../export/coordinates.ts';
import type { Exporter } from '../../export/exporter.ts';
import { reportUnheld } from '../../export/unheld-values.ts';
import { GrowingFile } from '../../../files/growing-file.ts';

const HEADER = ['image', 'label', 'xmin', 'ymin', 'xmax', 'ymax', 'score', 'width', 'height', 'phrases'];

/** Writer of a table with a row for each box, corners in pixels; an image without objects has a row without box. */
export const csvExporter: Exporter = {
  name: 'csv',
  title: 'CSV, a row for each box',
  target: 'file',
  async open(path, { classes, dropped }) {
    const file = await GrowingFile.open(path);
    await file.write(`${HEADER.join(',')}\n`);
    return {
      async add(image) {
        const { name, width, height, objects } = image;
        reportUnheld(image, ['masks'], dropped);
        const write = (values: readonly (string | number)[]): Promise<void> =>
          file.write(`${values.map(cell).join(',')}\n`);
        if (objects.length === 0) await write([name, '', '', '', '', '', '', width, height, '']);
        for (const { label, bbox, score, phrases } of objects) {
          classes.idOf(label);
          const shown = score === undefined ? '' : scoreDigits(score);
          await write([name, label, ...cornersOf(bbox), shown, width, height, phrases.join('; ')]);
        }
      },
      finish: () => file.finish(),
      abort: () => file.discard(),
    };
  },
};

/** A value, quoted where it has a separator, a quote or a line break. */
const cell = (value: string | number): string => {
  const text = String(value);
  return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
};

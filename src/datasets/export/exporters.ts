import { UsageError } from '../../errors.ts';
import { cocoExporter, cocoResultsExporter } from '../formats/coco/write.ts';
import { csvExporter } from '../formats/csv/write.ts';
import { cvatExporter } from '../formats/cvat/write.ts';
import { labelmeExporter } from '../formats/labelme/write.ts';
import { labelStudioExporter } from '../formats/labelstudio/write.ts';
import { vocExporter } from '../formats/voc/write.ts';
import { yoloExporter } from '../formats/yolo/write.ts';
import type { Exporter } from './exporter.ts';

const registered: Exporter[] = [
  cocoExporter,
  cocoResultsExporter,
  yoloExporter,
  vocExporter,
  labelmeExporter,
  labelStudioExporter,
  cvatExporter,
  csvExporter,
];

/** All exporters, one for each annotation format. */
export const exporters: readonly Exporter[] = registered;

/** Registers a custom exporter. @throws {UsageError} if its name is taken */
export const registerExporter = (exporter: Exporter): void => {
  if (registered.some(({ name }) => name === exporter.name))
    throw new UsageError(`an exporter named "${exporter.name}" is registered already`);
  registered.push(exporter);
};

/** Exporter of a format. @throws {UsageError} naming the known formats */
export const exporterNamed = (name: string): Exporter => {
  const found = registered.find((exporter) => exporter.name === name);
  if (found !== undefined) return found;
  throw new UsageError(`unknown format "${name}"; the formats are ${registered.map((known) => known.name).join(', ')}`);
};

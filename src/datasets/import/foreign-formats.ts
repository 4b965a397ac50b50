import { fileHead } from './file-head.ts';
import type { ImportSource } from './import-source.ts';
import type { JsonOutline } from './json-outline.ts';

/** A format that is not imported, and what its users can do. */
interface ForeignFormat {
  /** Rest of a sentence that begins with the file. */
  readonly what: string;
  readonly wayOut: string;
  readonly ending: RegExp;
  readonly fits: (outline: JsonOutline | undefined, head: string) => boolean;
}

const HEAD_BYTES = 4096;
/** Files that are looked at, so that folders of many files are refused at once. */
const MAX_FILES = 200;

const AS_COCO = 'export the dataset as COCO or YOLO there';

const FORMATS: readonly ForeignFormat[] = [
  {
    what: 'is an archive',
    wayOut: 'unpack it and import the folder',
    ending: /\.(zip|tar|tgz|gz|7z|rar)$/i,
    fits: () => true,
  },
  {
    what: 'has annotations of Supervisely, which are not imported',
    wayOut: AS_COCO,
    ending: /\.json$/i,
    fits: (outline) =>
      outline?.kind === 'object' && outline.keys.has('objects') && outline.keys.has('size') && outline.keys.has('tags'),
  },
  {
    what: 'has annotations of CreateML, which are not imported',
    wayOut: AS_COCO,
    ending: /\.json$/i,
    fits: (outline, head) => outline?.kind === 'list' && /"annotations"/.test(head) && /"coordinates"/.test(head),
  },
  {
    what: 'is a JSON export of VoTT, which is not imported',
    wayOut: 'export it as CSV or Pascal VOC there',
    ending: /\.json$/i,
    fits: (outline) => outline?.kind === 'object' && outline.keys.has('assets') && outline.keys.has('tags'),
  },
  {
    what: 'is a dataset of Ultralytics as NDJSON, which is not imported',
    wayOut: 'export it as YOLO there',
    ending: /\.(ndjson|jsonl)$/i,
    fits: (_, head) => /"class_names"/.test(head) && /"task"/.test(head),
  },
  {
    what: 'has rows of Labelbox, which are not imported',
    wayOut: AS_COCO,
    ending: /\.(ndjson|jsonl|json)$/i,
    fits: (_, head) => /"data_row"/.test(head),
  },
  {
    what: 'is a CSV export of Label Studio, whose boxes are JSON in its cells',
    wayOut: 'export it as JSON there',
    ending: /\.[ct]sv$/i,
    fits: (_, head) => /^[^\n]*\bannotation_id\b/.test(head) && /""original_width""/.test(head),
  },
  {
    what: 'has a column of 0 and 1 for each class (image classification) and no boxes',
    wayOut: 'export an object detection dataset there',
    ending: /\.csv$/i,
    fits: (_, head) => /^\W?filename(\s*,[^,\n]+)+\n[^,\n]+(\s*,\s*[01])+\s*$/m.test(head),
  },
  {
    what: 'has labels of DOTA, which are not imported',
    wayOut: 'convert them to YOLO with oriented boxes',
    ending: /\.txt$/i,
    fits: (_, head) => /^(\s*-?[\d.]+){8}\s+[A-Za-z][\w-]*\s+[012]\s*$/m.test(head),
  },
  {
    what: 'has labels of KITTI, which are not imported',
    wayOut: 'convert them to YOLO or COCO',
    ending: /\.txt$/i,
    fits: (_, head) => /^[A-Za-z]\w*(\s+-?[\d.]+){14,15}\s*$/m.test(head),
  },
];

/**
 * Message about a source in a well-known format that is not imported: which one, in which file, and the way out; undefined if
 * no file looks like one.
 */
export const foreignFormatOf = (source: ImportSource): string | undefined => {
  for (const file of source.files.slice(0, MAX_FILES)) {
    const candidates = FORMATS.filter(({ ending }) => ending.test(file));
    if (candidates.length === 0) continue;
    const path = source.pathOf(file);
    const outline = /json/i.test(file) ? source.outlineOf(file) : undefined;
    const head = fileHead(path, HEAD_BYTES);
    const found = candidates.find(({ fits }) => fits(outline, head));
    if (found !== undefined) return `${path}: ${found.what}; ${found.wayOut}`;
  }
  return undefined;
};

import { posix } from 'node:path';
import { MdetrError } from '../../../errors.ts';
import { readForeignTextFile, readTextFile } from '../../../files/json/json-file.ts';
import type { BoxXywh } from '../../../geometry/boxes.ts';
import { imageStem } from '../../import/image-names.ts';
import type { ImportedImage, ImportedObject, Importer, ImportOptions, ImportSplit } from '../../import/importer.ts';
import { fileHead } from '../../import/file-head.ts';
import type { ImportSource } from '../../import/import-source.ts';
import { splitNamed, splitOfFolders } from '../../import/stated-split.ts';
import { childrenOf, parseXml, textOf, type XmlElement } from '../../source/xml-tree.ts';
import { BadRowError } from '../../source/bad-rows.ts';
import { coordinateOf, shortText, sizeOf } from '../field-numbers.ts';
import { classOfUnnamed } from '../unnamed-classes.ts';
import { boxOfCorners, boxOfPoints, turnedCorners } from '../shapes.ts';
import { originOfBoxes, type VocBoxes, type VocOrigin } from './coordinate-origin.ts';

const HEAD_BYTES = 4096;

/**
 * Importer of Pascal VOC: one XML file for each image, as LabelImg, CVAT and Roboflow write them. Boxes may be fractional;
 * size, path and file name may be missing. `ImageSets/Main` and folder names state splits. Turned boxes (roLabelImg) and
 * polygons (LabelMe's old XML) are read too.
 */
export const vocImporter: Importer = {
  name: 'voc',
  title: 'Pascal VOC',
  files: 'XML files with <annotation>, one for each image; ImageSets/Main/*.txt or folder names state the split',

  async recognize(source) {
    const files: string[] = [];
    const damaged: string[] = [];
    for (const file of source.files) {
      if (!/\.xml$/i.test(file)) continue;
      const head = fileHead(source.pathOf(file), HEAD_BYTES);
      if (/<annotation[\s>]/.test(head)) files.push(file);
      // Files without an element are damaged; each would be an image that is lost.
      else if (!/<[A-Za-z]/.test(head) || /<(!doctype )?html/i.test(head)) damaged.push(file);
    }
    return Promise.resolve(files.length === 0 ? [] : [...files, ...damaged].sort());
  },

  async *read(source, files, options) {
    const entries: VocEntry[] = [];
    for (const file of files) {
      const text = await readForeignTextFile(source.pathOf(file));
      const entry = options.badRows.attempt(() => readEntry(source, file, text, options));
      if (entry !== undefined) entries.push(entry);
    }
    const { origin, note, shownBy } = originOfBoxes(entries.map(uprightBoxes), options.vocOrigin);
    if (note !== undefined) options.notes.add(note, entries[shownBy]?.location ?? '');
    const splits = await listedSplits(source);
    const objects = entries.flatMap((entry) => entry.objects);
    const isUnnamed = objects.length > 0 && objects.every(({ label }) => label === undefined || label === '');
    const defaultClass = isUnnamed ? classOfUnnamed(options, objects[0]!.location) : options.defaultClass;
    yield* options.badRows.usable(entries, (entry) =>
      imageOf(source, entry, origin, splits, { ...options, defaultClass }),
    );
  },
};

interface VocEntry {
  readonly file: string;
  readonly location: string;
  readonly tree: XmlElement;
  readonly objects: readonly VocObject[];
}

interface VocObject {
  readonly label: string | undefined;
  readonly bbox: BoxXywh | undefined;
  readonly polygon: readonly number[] | undefined;
  readonly attributes: Readonly<Record<string, string>>;
  readonly isUpright: boolean;
  readonly isSwapped: boolean;
  readonly location: string;
}

const readEntry = (
  source: ImportSource,
  file: string,
  text: string,
  { badRows }: Pick<ImportOptions, 'badRows'>,
): VocEntry => {
  const path = source.pathOf(file);
  if (text.trim() === '') throw new BadRowError(`${path}: is empty; expected XML`);
  const tree = treeOf(text, path);
  if (tree.name !== 'annotation')
    throw new BadRowError(`${path}: line ${tree.line}: the root is <${tree.name}>, not <annotation>`);
  const present = childrenOf(tree, 'object').filter((object) => textOf(object, 'deleted') !== '1');
  const objects = [...badRows.usable(present, (object) => readObject(object, path))];
  return { file, location: path, tree, objects };
};

/** The file's XML. @throws {BadRowError} for text that is not XML: each file is one image */
const treeOf = (text: string, path: string): XmlElement => {
  try {
    return parseXml(text, path);
  } catch (error) {
    throw error instanceof MdetrError ? new BadRowError(error.message, { cause: error }) : error;
  }
};

const readObject = (object: XmlElement, path: string): VocObject => {
  const location = `${path}: line ${object.line}`;
  const number = (parent: XmlElement, name: string): number => {
    const text = textOf(parent, name);
    if (text === undefined) throw new BadRowError(`${path}: line ${parent.line}: <${parent.name}> has no <${name}>`);
    return coordinateOf(text, `${path}: line ${parent.line}: <${name}>`);
  };
  const common = {
    label: textOf(object, 'name'),
    attributes: attributesOf(object),
    location,
  };
  const [box] = childrenOf(object, 'bndbox');
  if (box !== undefined) {
    const [x0, y0, x1, y1] = [number(box, 'xmin'), number(box, 'ymin'), number(box, 'xmax'), number(box, 'ymax')];
    const bbox = boxOfCorners(x0, y0, x1, y1);
    return { ...common, bbox, polygon: undefined, isUpright: true, isSwapped: x1 < x0 || y1 < y0 };
  }
  const [turned] = childrenOf(object, 'robndbox');
  if (turned !== undefined) {
    const [cx, cy, w, h] = [number(turned, 'cx'), number(turned, 'cy'), number(turned, 'w'), number(turned, 'h')];
    const angle = (number(turned, 'angle') * 180) / Math.PI;
    const corners = turnedCorners([cx - w / 2, cy - h / 2, w, h], angle);
    return { ...common, bbox: boxOfPoints(corners), polygon: undefined, isUpright: false, isSwapped: false };
  }
  const [polygon] = childrenOf(object, 'polygon');
  const points = polygon === undefined ? [] : pointsOf(polygon, number);
  const isOutline = points.length >= 6;
  return {
    ...common,
    bbox: isOutline ? boxOfPoints(points) : undefined,
    polygon: isOutline ? points : undefined,
    isUpright: false,
    isSwapped: false,
  };
};

/** Points of a polygon: `<pt><x/><y/></pt>` of LabelMe, or `<x1/><y1/><x2/><y2/>…` of Roboflow. */
const pointsOf = (polygon: XmlElement, number: (parent: XmlElement, name: string) => number): number[] => {
  const points = childrenOf(polygon, 'pt').flatMap((pt) => [number(pt, 'x'), number(pt, 'y')]);
  for (let i = 1; points.length >= 2 * (i - 1) && textOf(polygon, `x${i}`) !== undefined; i++)
    points.push(number(polygon, `x${i}`), number(polygon, `y${i}`));
  return points;
};

const FLAGS = ['difficult', 'truncated', 'occluded'] as const;

/** Flags that are set, and attributes as CVAT writes them: `<attributes><attribute><name/><value/></attribute></attributes>`. */
const attributesOf = (object: XmlElement): Record<string, string> => {
  const attributes: Record<string, string> = {};
  for (const flag of FLAGS) if (textOf(object, flag) === '1') attributes[flag] = 'true';
  const pose = textOf(object, 'pose');
  if (pose !== undefined && !/^(unspecified|)$/i.test(pose)) attributes['pose'] = pose;
  for (const list of childrenOf(object, 'attributes'))
    for (const attribute of childrenOf(list, 'attribute')) {
      const [name, value] = [textOf(attribute, 'name'), textOf(attribute, 'value')];
      if (name !== undefined && value !== undefined) attributes[name] = value;
    }
  return attributes;
};

const uprightBoxes = ({ tree, objects }: VocEntry): VocBoxes => ({
  tree,
  boxes: objects.flatMap(({ isUpright, bbox }) => (isUpright && bbox !== undefined ? [bbox] : [])),
});

const imageOf = (
  source: ImportSource,
  { file, location, tree, objects }: VocEntry,
  origin: VocOrigin,
  splits: ReadonlyMap<string, ImportSplit>,
  { leftOut, notes, defaultClass }: ImportOptions,
): ImportedImage => {
  const stem = imageStem(posix.basename(file).replace(/\.xml$/i, ''));
  const stated = textOf(tree, 'filename') ?? textOf(tree, 'path') ?? '';
  // Renamed files keep their old <filename>, so the image that is named like the XML file comes first.
  const path =
    source.findImageByStem(stem, file) ??
    (stated === '' ? undefined : (source.findImage(stated, file) ?? source.findImageByStem(imageStem(stated), file)));
  const [size] = childrenOf(tree, 'size');
  const [width, height] = size === undefined ? [] : [sizeOf(textOf(size, 'width')), sizeOf(textOf(size, 'height'))];
  const imported = objects.flatMap((object): ImportedObject[] => {
    const label = object.label === undefined || object.label === '' ? defaultClass : object.label;
    if (label === undefined) {
      leftOut.add('objects without <name>', object.location);
      return [];
    }
    if (object.bbox === undefined) {
      leftOut.add('objects without a box', object.location);
      return [];
    }
    if (object.isSwapped) notes.add('boxes whose corners are in the other order', object.location);
    const [x, y, w, h] = object.bbox;
    return [
      {
        label,
        // Corners are pixels that belong to the box: [1, 1] to [width, height] is all of the image.
        bbox: origin === 1 && object.isUpright ? [x - 1, y - 1, w + 1, h + 1] : object.bbox,
        segmentation: object.polygon === undefined ? undefined : [object.polygon],
        attributes: object.attributes,
        location: object.location,
      },
    ];
  });
  return {
    fileName: stated === '' ? stem : shortText(stated),
    path,
    width,
    height,
    split: splits.get(stem) ?? splitOfFolders(file),
    objects: imported,
    location,
  };
};

const LIST_NAME = /(?:^|\/)imagesets\/(?:main|layout|segmentation)\/([^/]+)\.txt$/i;

/** Splits of the lists in `ImageSets/Main`. Lists of one class (`cat_train.txt`) are read where there are no others, as in exports of VoTT. */
const listedSplits = async (source: ImportSource): Promise<Map<string, ImportSplit>> => {
  const lists = source.files.flatMap((file) => {
    const name = LIST_NAME.exec(file)?.[1];
    return name === undefined ? [] : [{ file, name }];
  });
  const whole = await splitsOfLists(source, lists);
  if (whole.size > 0) return whole;
  return splitsOfLists(
    source,
    lists.map(({ file, name }) => ({ file, name: name.replace(/^.*_/, '') })),
  );
};

/** Splits of images, by the stems of their names, from lists that are named like splits. */
const splitsOfLists = async (
  source: ImportSource,
  lists: readonly { readonly file: string; readonly name: string }[],
): Promise<Map<string, ImportSplit>> => {
  const splits = new Map<string, ImportSplit>();
  for (const { file, name } of lists) {
    const split = splitNamed(name);
    if (split === undefined) continue;
    for (const line of (await readTextFile(source.pathOf(file))).split(/\r?\n/)) {
      const entry = line.trim().split(/\s+/)[0] ?? '';
      // An image that is in several lists belongs to train only if no other list has it.
      const stem = imageStem(entry);
      if (entry !== '' && (split !== 'train' || !splits.has(stem))) splits.set(stem, split);
    }
  }
  return splits;
};

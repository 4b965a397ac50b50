import { join, posix, relative } from 'node:path';
import { MdetrError } from '../../../errors.ts';
import { readTextFile } from '../../../files/json/json-file.ts';
import type { ImportedImage, ImportedObject, Importer, ImportOptions, ImportSplit } from '../../import/importer.ts';
import { fileHead } from '../../import/file-head.ts';
import type { ImportSource } from '../../import/import-source.ts';
import { isNameList, readNumberedNames } from '../../import/class-names.ts';
import { splitNamed, splitOfFolders } from '../../import/stated-split.ts';
import { BadRowError } from '../../source/bad-rows.ts';
import { looksLikeDataYaml, readDataYaml, readObjData, type YoloDescription } from './data-yaml.ts';
import { filesByHead } from '../recognition.ts';
import { classOfNumber } from '../unnamed-classes.ts';
import { LabelFiles } from './label-files.ts';
import { findFile, imagesOfFolder } from './stated-paths.ts';
import { areTurnedBoxes, parseLabelFile, type YoloLabel } from './label-file.ts';

const HEAD_BYTES = 64 * 1024;

/**
 * Importer of YOLO: `data.yaml` (Ultralytics, Roboflow), `obj.data` (Darknet, CVAT), or only a list of class names with
 * images and label files. Boxes, outlines and turned boxes may be mixed. Labels lie in `labels/` beside `images/`, or beside
 * the images.
 */
export const yoloImporter: Importer = {
  name: 'yolo',
  title: 'YOLO',
  files:
    'data.yaml, obj.data, or a list of classes (classes.txt, obj.names, _darknet.labels), with a .txt file for each image',

  async recognize(source) {
    const yamls = await filesByHead(source, /\.ya?ml$/i, HEAD_BYTES, looksLikeDataYaml);
    if (yamls.length > 0) return shallowest(yamls);
    const darknet = await filesByHead(source, /\.data$/i, HEAD_BYTES, (head) => /^\s*names\s*=/m.test(head));
    if (darknet.length > 0) return shallowest(darknet);
    const labels = new LabelFiles(source);
    const hasLabels = (): boolean =>
      source.images.some((image) => {
        const label = labels.of(image);
        return label !== undefined && isLabelText(headOf(join(source.root, label)));
      });
    const lists = source.files.filter(isNameList);
    if (lists.length > 0 && hasLabels()) return lists;
    // Without a list of classes the label files themselves are the format's files; reading them asks for the names.
    const loose = source.images.flatMap((image) => labels.of(image) ?? []);
    const [first] = loose;
    return first !== undefined && loose.every((file) => isLabelText(headOf(source.pathOf(file)))) ? loose : [];
  },

  async *read(source, files, options) {
    const description = await describe(source, files, options);
    const labels = new LabelFiles(source);
    const read: { entry: SplitImage; file: string | undefined; content: readonly YoloLabel[] }[] = [];
    for (const entry of splitImages(source, description, labels, await listedImages(source, description), options)) {
      const file = labels.of(entry.path);
      const path = file === undefined ? '' : source.pathOf(file);
      const content =
        file === undefined
          ? []
          : parseLabelFile(await readTextFile(path), path, options.badRows, description.keyPointValues);
      read.push({ entry, file, content });
    }
    const isTurned = areTurnedBoxes(read.flatMap(({ content }) => content));
    for (const { entry, file, content } of read) {
      const location = file === undefined ? entry.path : source.pathOf(file);
      if (file === undefined)
        options.notes.add('images without a label file, which count as images without objects', entry.path);
      yield {
        fileName: relative(source.root, entry.path).replaceAll('\\', '/'),
        path: entry.path,
        unit: 'fractions',
        split: entry.split,
        objects: Array.from(
          options.badRows.usable(content, (label) =>
            objectOf(label, description, isTurned, `${location}: line ${label.line}`, options),
          ),
        ),
        location,
      } satisfies ImportedImage;
    }
  },
};

interface SplitImage {
  readonly path: string;
  readonly split: ImportSplit | undefined;
}

const objectOf = (
  { classId, bbox, polygon }: YoloLabel,
  { names, file }: YoloDescription,
  isTurned: boolean,
  location: string,
  options: ImportOptions,
): ImportedObject => {
  const stated = names.get(classId);
  // A description without any names is incomplete; one that lacks a name is wrong.
  const label = names.size === 0 ? classOfNumber(classId, options, location) : stated;
  if (label === undefined || label === '')
    throw new BadRowError(
      `${location}: class ${classId} has no name: ${file === '' ? '--classes' : file} names ${names.size} classes, from 0`,
    );
  return { label, bbox, segmentation: polygon === undefined || isTurned ? undefined : [polygon], location };
};

/** Class names and splits of the files that were recognized. */
const describe = async (
  source: ImportSource,
  files: readonly string[],
  { classNames, notes }: ImportOptions,
): Promise<YoloDescription> => {
  const [first] = files;
  const given = classNames === undefined ? undefined : numbered(classNames);
  const none = { classCount: undefined, path: undefined, splits: [], keyPointValues: 0 };
  if (first !== undefined && /\.ya?ml$/i.test(first)) {
    const found = await Promise.all(files.map((file) => readDataYaml(source.pathOf(file), file)));
    const description = found[0]!;
    const other = found.find(({ names }) => !sameNames(names, description.names));
    if (other !== undefined)
      throw new MdetrError(
        `${source.root}: ${description.file} and ${other.file} name different classes; import the file that counts (mdetr data import ${source.pathOf(description.file)})`,
      );
    const { names, classCount } = description;
    if (classCount !== undefined && names.size > 0 && classCount !== names.size)
      notes.add(
        `"nc" differs from the number of names, which counts`,
        `${description.file}: nc is ${classCount}, ${names.size} names`,
      );
    return { ...description, names: given ?? names, splits: found.flatMap(({ splits }) => splits) };
  }
  if (first !== undefined && /\.data$/i.test(first))
    return { ...none, ...(await describeDarknet(source, first, given)) };
  const lists = files.filter(isNameList);
  if (given !== undefined) return { ...none, file: '', names: given };
  if (lists.length === 0) return { ...none, file: '', names: new Map() };
  const named = await Promise.all(
    lists.map(async (file) => ({ file, names: numbered(await readNumberedNames(source.pathOf(file))) })),
  );
  // Lists of the splits may end earlier: tools append classes when they first occur.
  named.sort((a, b) => b.names.size - a.names.size);
  const [longest] = named as [(typeof named)[number], ...typeof named];
  const different = named.find(({ names }) => [...names].some(([id, name]) => longest.names.get(id) !== name));
  if (different !== undefined)
    throw new MdetrError(
      `${source.root}: ${longest.file} and ${different.file} name different classes; pass the list that counts with --classes FILE`,
    );
  return { ...none, file: longest.file, names: longest.names };
};

const describeDarknet = async (
  source: ImportSource,
  file: string,
  given: ReadonlyMap<number, string> | undefined,
): Promise<Pick<YoloDescription, 'file' | 'names' | 'splits'>> => {
  const values = await readObjData(source.pathOf(file));
  const stated = values.get('names') ?? '';
  const list = findFile(source, stated, posix.dirname(file));
  if (list === undefined && given === undefined)
    throw new MdetrError(
      `${source.pathOf(file)}: the list of names "${shortPath(stated)}" was not found; pass it with --classes FILE`,
    );
  return {
    file: list ?? '',
    names: given ?? numbered(await readNumberedNames(source.pathOf(list!))),
    splits: [...values].flatMap(([key, path]) => {
      const split = splitNamed(key);
      return split === undefined || path === '' ? [] : [{ split, paths: [path] }];
    }),
  };
};

/** Images that a description lists, by split; undefined if it lists none. */
const listedImages = async (
  source: ImportSource,
  description: YoloDescription,
): Promise<readonly ListedPath[] | undefined> => {
  if (description.splits.length === 0) return undefined;
  const listed: ListedPath[] = [];
  const base = posix.dirname(description.file === '' ? '.' : description.file);
  for (const { split, paths } of description.splits)
    for (const path of paths) {
      const list = /\.txt$/i.test(path) ? findFile(source, path, base, description.path) : undefined;
      if (list === undefined) {
        listed.push({ split, stated: path, images: imagesOfFolder(source, path, base, description.path) });
        continue;
      }
      const lines = (await readTextFile(source.pathOf(list))).split(/\r\n|\n|\r/).map((line) => line.trim());
      const images: string[] = [];
      lines.forEach((line, i) => {
        if (line === '' || line.startsWith('#')) return;
        const image = source.findImage(line, list);
        if (image !== undefined) images.push(image);
        else listed.push({ split, stated: `${source.pathOf(list)}: line ${i + 1}: ${shortPath(line)}`, images: [] });
      });
      listed.push({ split, stated: path, images });
    }
  return listed;
};

interface ListedPath {
  readonly split: ImportSplit;
  readonly stated: string;
  readonly images: readonly string[];
}

/** All images of the dataset, each once, with its split. */
const splitImages = (
  source: ImportSource,
  description: YoloDescription,
  labels: LabelFiles,
  listed: readonly ListedPath[] | undefined,
  { leftOut, notes }: ImportOptions,
): SplitImage[] => {
  const folderSplit = (path: string): ImportSplit | undefined => splitOfFolders(relative(source.root, path));
  if (listed === undefined || listed.every(({ images }) => images.length === 0)) {
    if (listed !== undefined)
      notes.add(
        'paths of splits that do not exist; the folders of the images state the split instead',
        `${description.file}: ${listed
          .map(({ stated }) => shortPath(stated))
          .slice(0, 3)
          .join(', ')}`,
      );
    const labeled = source.images.filter((path) => labels.of(path) !== undefined);
    const unlabeled = source.images.length - labeled.length;
    if (unlabeled > 0)
      leftOut.add(
        'images without a label file',
        source.images.find((path) => labels.of(path) === undefined)!,
        unlabeled,
      );
    return labeled.map((path) => ({ path, split: folderSplit(path) }));
  }
  for (const { stated, images } of listed)
    if (images.length === 0) leftOut.add('listed images or folders that do not exist', shortPath(stated));
  const splits = new Map<string, Set<ImportSplit>>();
  for (const { split, images } of listed)
    for (const image of images) splits.set(image, (splits.get(image) ?? new Set()).add(split));
  const both = [...splits].filter(([, own]) => own.size > 1);
  if (both.length > 0)
    notes.add('images that are listed in several splits, which are divided anew', both[0]![0], both.length);
  const areEqual = both.length > 0 && both.length >= splits.size / 2;
  return [...splits].map(([path, own]) => ({
    path,
    // Descriptions that name one folder for train and val have no validation part.
    split: areEqual ? undefined : own.has('train') ? 'train' : [...own][0],
  }));
};

/** Whether the beginning of a text file looks like labels: numbers, the first an integer, at least five on a line. */
const isLabelText = (head: string): boolean => {
  const lines = head
    .split(/\r\n|\n|\r/)
    .slice(0, 3)
    .filter((line) => line.trim() !== '');
  return lines.every(
    (line, i) => /^\s*\d+(\.0*)?(\s+[-+.\deE]+){4,}\s*$/.test(line) || (i > 0 && i === lines.length - 1),
  );
};

const headOf = (path: string): string => fileHead(path, HEAD_BYTES);

/** The files that are least deep below the source. */
const shallowest = (files: readonly string[]): string[] => {
  const depth = (file: string): number => file.split('/').length;
  const least = Math.min(...files.map(depth));
  return files.filter((file) => depth(file) === least);
};

const numbered = (names: readonly string[]): Map<number, string> => new Map(names.map((name, i) => [i, name]));

const sameNames = (a: ReadonlyMap<number, string>, b: ReadonlyMap<number, string>): boolean =>
  a.size === b.size && [...a].every(([id, name]) => b.get(id) === name);

const shortPath = (path: string): string => (path.length > 100 ? `…${path.slice(-99)}` : path);

import { MdetrError } from '../../../errors.ts';
import type { ImportedImage, Importer, ImportOptions } from '../../import/importer.ts';
import type { ImportSource } from '../../import/import-source.ts';
import { splitNamed, splitOfFolders } from '../../import/stated-split.ts';
import { readXmlChildren, type XmlElement } from '../../source/xml-tree.ts';
import { BadRowError } from '../../source/bad-rows.ts';
import { sizeOf } from '../field-numbers.ts';
import { filesByHead } from '../recognition.ts';
import { objectOf } from './shape-object.ts';
import { TrackFrames } from './track-frames.ts';

const HEAD_BYTES = 4096;

/**
 * Importer of CVAT's XML for images: boxes (turned ones, too), polygons, ellipses, masks and cuboids. Points and polylines
 * have no area; tags are no objects. Tracks of the XML for videos are read if the frames are there as images
 * (`frame_000012.png`); without them it is rejected.
 */
export const cvatImporter: Importer = {
  name: 'cvat',
  title: 'CVAT XML',
  files: 'annotations.xml ("CVAT for images 1.1", or "CVAT for video 1.1" with its frames)',

  recognize: (source) => filesByHead(source, /\.xml$/i, HEAD_BYTES, (head) => /<annotations[\s>]/.test(head)),

  async *read(source, files, options) {
    for (const file of files) {
      const path = source.pathOf(file);
      let images = 0;
      const frames = new TrackFrames(source, file);
      for (const element of readXmlChildren(path)) {
        if (element.root !== 'annotations')
          throw new MdetrError(`${path}: line 1: the root is <${element.root}>, not <annotations>`);
        if (element.name === 'track') options.badRows.attempt(() => frames.add(element, options));
        if (element.name !== 'image') continue;
        images++;
        const image = options.badRows.attempt(() => imageOf(source, file, element, options));
        if (image !== undefined) yield image;
        if (images % 64 === 0) await new Promise((resolve) => setImmediate(resolve));
      }
      yield* frames.images();
      if (images === 0 && frames.isEmpty) throw new MdetrError(`${path}: has no <image>`);
    }
  },
};

const imageOf = (source: ImportSource, file: string, element: XmlElement, options: ImportOptions): ImportedImage => {
  const path = source.pathOf(file);
  const location = `${path}: line ${element.line}`;
  const { name, width, height, subset } = element.attributes;
  if (name === undefined || name === '') throw new BadRowError(`${location}: <image> has no name`);
  return {
    fileName: name,
    path: source.findImage(name, file),
    width: sizeOf(width),
    height: sizeOf(height),
    split: splitNamed(subset ?? '') ?? splitOfFolders(name) ?? splitOfFolders(file),
    objects: [...options.badRows.usable(element.children, (shape) => objectOf(shape, path, options))],
    location,
  };
};

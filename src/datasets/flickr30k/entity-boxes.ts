import { BadRowError } from '../source/bad-rows.ts';
import type { BoxXywh } from '../../geometry/boxes.ts';
import { childrenOf, parseXml, textOf, type XmlElement } from '../source/xml-tree.ts';

/** Annotations of one image in Flickr30k Entities. */
export interface EntityImage {
  readonly fileName: string;
  readonly width: number;
  readonly height: number;
  /** Boxes by entity, in file order. Entities without a box are missing. */
  readonly boxes: ReadonlyMap<string, readonly BoxXywh[]>;
}

/**
 * Parses a file of the folder `Annotations` of Flickr30k Entities. Entities marked as scene or as having no box get none.
 * @param path file name for messages
 * @throws {BadRowError} naming the element that is missing or malformed
 */
export const parseEntityImage = (xml: string, path: string): EntityImage => {
  const annotation = parseXml(xml, path);
  const fail = (what: string): never => {
    throw new BadRowError(`${path}: ${what}`);
  };
  const numberIn = (element: XmlElement, name: string): number => {
    const text = textOf(element, name);
    const number = Number(text);
    if (text === undefined || text === '' || !Number.isFinite(number))
      return fail(
        `<${element.name}> has ${text === undefined ? `no <${name}>` : `"${text.slice(0, 40)}" as <${name}>`}`,
      );
    return number;
  };
  if (annotation.name !== 'annotation') fail(`begins with <${annotation.name}>, not <annotation>`);
  const fileName = textOf(annotation, 'filename') ?? fail('<annotation> has no <filename>');
  const size = childrenOf(annotation, 'size')[0] ?? fail('<annotation> has no <size>');
  const boxes = new Map<string, BoxXywh[]>();
  for (const object of childrenOf(annotation, 'object')) {
    const bounds = childrenOf(object, 'bndbox')[0];
    if (bounds === undefined || bounds.children.length === 0) continue;
    const [xmin, ymin] = [numberIn(bounds, 'xmin'), numberIn(bounds, 'ymin')];
    const box: BoxXywh = [xmin, ymin, numberIn(bounds, 'xmax') - xmin, numberIn(bounds, 'ymax') - ymin];
    for (const { text } of childrenOf(object, 'name')) {
      const entity = entityId(text.trim()) ?? fail(`<name> is "${text.trim().slice(0, 40)}", not an entity id`);
      const own = boxes.get(entity);
      if (own === undefined) boxes.set(entity, [box]);
      else own.push(box);
    }
  }
  return { fileName, width: numberIn(size, 'width'), height: numberIn(size, 'height'), boxes };
};

/** Canonical form of an entity id (`007` and `7` are the same entity); undefined if the text is not an id. */
export const entityId = (text: string): string | undefined =>
  /^\d{1,15}$/.test(text) ? String(Number(text)) : undefined;

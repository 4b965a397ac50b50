import type { ImportedObject, ImportOptions } from '../../import/importer.ts';
import { childrenOf, type XmlElement } from '../../source/xml-tree.ts';
import { BadRowError } from '../../source/bad-rows.ts';
import { coordinateOf, shortText } from '../field-numbers.ts';
import { boxOfCorners, boxOfEllipse, boxOfPoints, turnedCorners, type Outline } from '../shapes.ts';

/** Object of a shape. @param trackLabel label of the track, whose shapes have none of their own */
export const objectOf = (
  shape: XmlElement,
  path: string,
  { leftOut }: ImportOptions,
  trackLabel?: string,
): ImportedObject | undefined => {
  const location = `${path}: line ${shape.line}`;
  if (shape.name === 'tag') return undefined;
  const outline = outlineOf(shape, location);
  if (outline === undefined) {
    leftOut.add(`shapes without area (${shape.name.slice(0, 40)})`, location);
    return undefined;
  }
  const { label = trackLabel } = shape.attributes;
  if (label === undefined || label.trim() === '') throw new BadRowError(`${location}: <${shape.name}> has no label`);
  return {
    label,
    ...outline,
    attributes: attributesOf(shape),
    location,
  };
};

/** Box and perhaps outline of a shape; undefined for one without area. */
const outlineOf = (shape: XmlElement, location: string): Outline | undefined => {
  const number = (name: string): number => {
    const value = shape.attributes[name];
    if (value === undefined) throw new BadRowError(`${location}: <${shape.name}> has no ${name}`);
    return coordinateOf(value, `${location}: ${name}`);
  };
  const rotation = Number(shape.attributes['rotation'] ?? 0) || 0;
  switch (shape.name) {
    case 'box': {
      const bbox = boxOfCorners(number('xtl'), number('ytl'), number('xbr'), number('ybr'));
      return { bbox: rotation === 0 ? bbox : boxOfPoints(turnedCorners(bbox, rotation))! };
    }
    case 'polygon': {
      const points = pointsOf(shape, location);
      if (points.length < 6) throw new BadRowError(`${location}: <polygon> has ${points.length / 2} points`);
      return { bbox: boxOfPoints(points)!, segmentation: [points] };
    }
    case 'ellipse':
      return { bbox: boxOfEllipse(number('cx'), number('cy'), number('rx'), number('ry'), rotation) };
    case 'mask':
      return { bbox: [number('left'), number('top'), number('width'), number('height')] };
    case 'cuboid': {
      const corners = Object.keys(shape.attributes)
        .filter((name) => /^[xy][tb][lr]\d$/.test(name))
        .sort();
      const xs = corners.filter((name) => name.startsWith('x')).map(number);
      const ys = corners.filter((name) => name.startsWith('y')).map(number);
      if (xs.length < 4 || xs.length !== ys.length) throw new BadRowError(`${location}: <cuboid> has no corners`);
      return { bbox: boxOfCorners(Math.min(...xs), Math.min(...ys), Math.max(...xs), Math.max(...ys)) };
    }
    default:
      return undefined;
  }
};

/** Coordinates of `points="x,y;x,y"`. */
const pointsOf = (shape: XmlElement, location: string): number[] =>
  (shape.attributes['points'] ?? '').split(';').flatMap((pair) => {
    const numbers = pair.split(',');
    if (numbers.length !== 2) throw new BadRowError(`${location}: points has "${shortText(pair)}", not x,y`);
    return numbers.map((text) => coordinateOf(text, `${location}: points`));
  });

const attributesOf = (shape: XmlElement): Record<string, string> => {
  const attributes: Record<string, string> = {};
  if (shape.attributes['occluded'] === '1') attributes['occluded'] = 'true';
  for (const attribute of childrenOf(shape, 'attribute')) {
    const { name } = attribute.attributes;
    if (name !== undefined && attribute.text.trim() !== '') attributes[name] = attribute.text.trim();
  }
  return attributes;
};

import { SaxesParser } from 'saxes';
import { Problem } from '../problems.ts';

/** Parts of a labeling interface that predictions refer to. */
export interface LabelConfig {
  /** Name of the image control, and the key of a task's data that has the image. */
  readonly image: { readonly name: string; readonly key: string };
  /** Controls of regions, and their labels. */
  readonly rectangles: Control | undefined;
  readonly polygons: Control | undefined;
  /** Key of a task's data that has the caption, if a text is shown. */
  readonly captionKey: string | undefined;
}

/** A control that holds labels. */
interface Control {
  readonly name: string;
  readonly labels: readonly string[];
}

/** Key of `$key`. */
const keyOf = (value: string | undefined): string | undefined => /^\$(\w+)$/.exec(value ?? '')?.[1];

/**
 * Reads the labeling interface of a project.
 *
 * @throws {Problem} if it is not XML, or has no image or no rectangles and polygons
 */
export const parseLabelConfig = (xml: string): LabelConfig => {
  let image: LabelConfig['image'] | undefined;
  let captionKey: string | undefined;
  const controls = new Map<string, { name: string; labels: string[] }>();
  let open: { name: string; labels: string[] } | undefined;
  const parser = new SaxesParser();
  parser.on('error', (error) => {
    throw new Problem('invalid-request', `label_config is not XML: ${error.message.slice(0, 100)}`);
  });
  parser.on('opentag', ({ name: tag, attributes }) => {
    const { name = '', value } = attributes;
    if (tag === 'Image') image ??= { name, key: keyOf(value) ?? 'image' };
    if (tag === 'Text') captionKey ??= keyOf(value);
    if (tag === 'RectangleLabels' || tag === 'PolygonLabels') {
      open = { name, labels: [] };
      if (!controls.has(tag)) controls.set(tag, open);
    }
    if (tag === 'Label' && value !== undefined) open?.labels.push(value);
  });
  parser.on('closetag', ({ name: tag }) => {
    if (tag === 'RectangleLabels' || tag === 'PolygonLabels') open = undefined;
  });
  parser.write(xml).close();
  const [rectangles, polygons] = [controls.get('RectangleLabels'), controls.get('PolygonLabels')];
  if (image === undefined || (rectangles === undefined && polygons === undefined))
    throw new Problem('invalid-request', 'label_config needs an Image and RectangleLabels or PolygonLabels');
  return { image, rectangles, polygons, captionKey };
};

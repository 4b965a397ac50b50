import type { Remarks } from '../preparation/remarks.ts';
import type { ExportedImage, ExportedObject } from './exporter.ts';

interface UnheldValue {
  /** Name in the report. */
  readonly what: string;
  readonly isIn: (object: ExportedObject) => boolean;
}

/** Values of objects that some formats have no place for. */
const UNHELD_VALUES = {
  scores: { what: 'scores', isIn: ({ score }) => score !== undefined },
  masks: { what: 'masks, whose boxes are kept', isIn: ({ mask }) => mask !== undefined },
  phrases: { what: 'further phrases of an object', isIn: ({ phrases }) => phrases.length > 1 },
} satisfies Readonly<Record<string, UnheldValue>>;

/** Reports which values of an image's objects a format drops, of those that it has no place for. */
export const reportUnheld = (
  { name, objects }: ExportedImage,
  unheld: readonly (keyof typeof UNHELD_VALUES)[],
  dropped: Remarks,
): void => {
  for (const object of objects)
    for (const key of unheld) {
      const { what, isIn }: UnheldValue = UNHELD_VALUES[key];
      if (isIn(object)) dropped.add(what, name);
    }
};

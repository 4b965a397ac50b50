import type { ImportOptions } from '../import/importer.ts';

/** Class of objects in sources that name no class at all. */
const UNNAMED_CLASS = 'object';

/** The class of all objects of a source that names none, which is noted. */
export const classOfUnnamed = ({ defaultClass, notes }: ImportOptions, location: string): string => {
  if (defaultClass !== undefined) return defaultClass;
  notes.add(
    `sources without class names, whose objects are called "${UNNAMED_CLASS}"; name their class with --class`,
    location,
  );
  return UNNAMED_CLASS;
};

/** Name of a class that a source numbers but does not name, which is noted. */
export const classOfNumber = (id: number, { defaultClass, notes }: ImportOptions, location: string): string => {
  if (defaultClass !== undefined) return defaultClass;
  notes.add(
    'numbered classes without a name, which are called "class 0" and so on; name them with --classes FILE',
    location,
  );
  return `class ${id}`;
};

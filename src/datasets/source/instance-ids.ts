import { StringIds } from '../../data/annotation-index/string-ids.ts';

/** Kinds of ids in files of COCO, LVIS and RefCOCO. */
type IdKind = 'images' | 'annotations' | 'categories';

/** Kinds of the ids in an entry, by the name of the field. */
type IdFields = Readonly<Record<string, IdKind>>;

/** Fields with ids, by the list that an entry stands in. */
const FIELDS = {
  images: { id: 'images', neg_category_ids: 'categories', not_exhaustive_category_ids: 'categories' },
  annotations: { id: 'annotations', image_id: 'images', category_id: 'categories' },
  /** Annotations that nothing refers to. */
  boxes: { image_id: 'images', category_id: 'categories' },
  categories: { id: 'categories' },
  references: { ann_id: 'annotations', image_id: 'images', category_id: 'categories' },
} as const satisfies Readonly<Record<string, IdFields>>;

/** Integers for string ids, which labeling tools write (UUIDs, file names, integers in quotes). */
export class InstanceIds {
  private readonly tables: Readonly<Record<IdKind, StringIds>> = {
    images: new StringIds(),
    annotations: new StringIds(),
    categories: new StringIds(),
  };

  /** An entry of a list, with integers in place of string ids. */
  withNumbers(list: keyof typeof FIELDS, entry: unknown): unknown {
    return this.mapped(FIELDS[list], entry, (table, id) => (typeof id === 'string' ? table.numberOf(id) : id));
  }

  /** An entry of a list with its ids as the file states them. */
  asStated<Entry>(list: keyof typeof FIELDS, entry: Entry): Entry {
    return this.mapped(FIELDS[list], entry, (table, id) => (typeof id === 'number' ? table.idOf(id) : id)) as Entry;
  }

  /** The number of an id. */
  numberOf(kind: IdKind, id: number | string): number {
    return typeof id === 'string' ? this.tables[kind].numberOf(id) : id;
  }

  /** The id with a number, as the file states it. */
  stated(kind: IdKind, id: number): number | string {
    return this.tables[kind].idOf(id);
  }

  private mapped(fields: IdFields, entry: unknown, convert: (table: StringIds, id: unknown) => unknown): unknown {
    if (typeof entry !== 'object' || entry === null || Array.isArray(entry)) return entry;
    let changed: Record<string, unknown> | undefined;
    for (const field of Object.keys(fields)) {
      const value = (entry as Record<string, unknown>)[field];
      const table = this.tables[fields[field]!];
      const converted = Array.isArray(value) ? value.map((id) => convert(table, id)) : convert(table, value);
      if (converted !== value) (changed ??= { ...entry })[field] = converted;
    }
    return changed ?? entry;
  }
}

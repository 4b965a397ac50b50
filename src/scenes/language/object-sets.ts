import { ATTRIBUTES, type Attribute, type ObjectAttributes } from '../render/attributes.ts';
import { type Relation, RELATIONS } from '../render/relations.ts';
import type { TextScene } from '../render/scene.ts';

/** A set of objects of a scene as a bit mask: bit i is object i. Scenes have at most 30 objects. */
export type ObjectSet = number;

/** Number of objects in a set. */
export const sizeOf = (set: ObjectSet): number => {
  let count = 0;
  for (let rest = set; rest !== 0; rest &= rest - 1) count++;
  return count;
};

/** Indices of the objects in a set, in ascending order. */
export const membersOf = (set: ObjectSet): number[] => {
  const members: number[] = [];
  for (let rest = set; rest !== 0; rest &= rest - 1) members.push(31 - Math.clz32(rest & -rest));
  return members;
};

/** Attribute values that a noun phrase requires of its objects. */
export type Filter = Partial<ObjectAttributes>;

/** Attributes that a filter restricts. */
export const attributesOf = (filter: Filter): Attribute[] => ATTRIBUTES.filter((name) => filter[name] !== undefined);

/** Filter with an object's values of the given attributes. */
export const filterOf = (object: ObjectAttributes, attributes: readonly Attribute[]): Filter =>
  Object.fromEntries(attributes.map((name) => [name, object[name]]));

/** Objects whose centers differ by less than this fraction of the image width are not clearly left or right of each other. */
const MIN_OFFSET_FRACTION = 0.012;

/** Set operations over the objects of one scene. */
export class ObjectSets {
  /** All objects of the scene. */
  readonly all: ObjectSet;
  private readonly byValue = new Map<string, ObjectSet>();
  private readonly sides: Readonly<Record<Relation, readonly ObjectSet[]>>;
  private readonly doubts: Readonly<Record<Relation, readonly ObjectSet[]>>;

  constructor(
    /** The scene. */
    readonly scene: TextScene,
  ) {
    const { objects, relationships, width } = scene;
    this.all = 2 ** objects.length - 1;
    objects.forEach((object, i) => {
      for (const name of ATTRIBUTES) {
        this.byValue.set(object[name], (this.byValue.get(object[name]) ?? 0) | (1 << i));
      }
    });
    const sides = (relation: Relation): ObjectSet[] =>
      relationships[relation].map((related) => related.reduce((set, j) => set | (1 << j), 0));
    this.sides = { left: sides('left'), right: sides('right'), front: sides('front'), behind: sides('behind') };
    const doubts = (relation: Relation): ObjectSet[] =>
      objects.map(({ pixelCoords: [x] }, i) => {
        if (relation === 'front' || relation === 'behind') return 0;
        const sign = relation === 'left' ? -1 : 1;
        return objects.reduce((set, { pixelCoords: [otherX] }, j) => {
          const inSpace = (this.sides[relation][i]! >> j) & 1;
          const shift = sign * (otherX - x);
          const inImage =
            shift > MIN_OFFSET_FRACTION * width ? 1 : shift < -MIN_OFFSET_FRACTION * width ? 0 : undefined;
          return j !== i && inImage !== inSpace ? set | (1 << j) : set;
        }, 0);
      });
    this.doubts = { left: doubts('left'), right: doubts('right'), front: doubts('front'), behind: doubts('behind') };
  }

  /** Objects that match a filter. */
  matching(filter: Filter): ObjectSet {
    let set = this.all;
    for (const name of ATTRIBUTES) {
      const value = filter[name];
      if (value !== undefined) set &= this.byValue.get(value) ?? 0;
    }
    return set;
  }

  /** Objects on the given side of object i, measured along the ground as in CLEVR. */
  related(i: number, relation: Relation): ObjectSet {
    return this.sides[relation][i]!;
  }

  /**
   * Objects for which ground and image disagree, or almost: perspective can move a distant object to the other side of a
   * near one. No text depends on such relations.
   */
  doubtful(i: number, relation: Relation): ObjectSet {
    return this.doubts[relation][i]!;
  }

  /** Objects with the same value as object i, without i itself. */
  same(i: number, attribute: Attribute): ObjectSet {
    return this.matching({ [attribute]: this.scene.objects[i]![attribute] }) & ~(1 << i);
  }

  /** Index of the object farthest in a direction; undefined if that is not clear. */
  extreme(set: ObjectSet, relation: Relation): number | undefined {
    return membersOf(set).find((i) => {
      const others = set & ~(1 << i);
      return (
        (others & ~this.sides[OPPOSITE[relation]][i]!) === 0 && (others & this.doubts[OPPOSITE[relation]][i]!) === 0
      );
    });
  }

  /** Attributes of a filter without which it would match more objects. */
  needed(filter: Filter): Attribute[] {
    const set = this.matching(filter);
    return attributesOf(filter).filter((name) => this.matching({ ...filter, [name]: undefined }) !== set);
  }
}

/** Inverse of each relation. */
export const OPPOSITE: Readonly<Record<Relation, Relation>> = {
  left: 'right',
  right: 'left',
  front: 'behind',
  behind: 'front',
};

/** Whether a word names a relation. */
export const isRelation = (word: string): word is Relation => (RELATIONS as readonly string[]).includes(word);

import { ATTRIBUTES, type Attribute, type ObjectAttributes } from '../render/attributes.ts';
import type { Relation } from '../render/relations.ts';
import { RELATIONS } from '../render/relations.ts';
import type { TextScene } from '../render/scene.ts';

/** Objects of a scene as bits of an integer: bit i is object i. Scenes have at most 30 objects. */
export type ObjectSet = number;

export const sizeOf = (set: ObjectSet): number => {
  let count = 0;
  for (let rest = set; rest !== 0; rest &= rest - 1) count++;
  return count;
};

/** The objects of a set, in rising order. */
export const membersOf = (set: ObjectSet): number[] => {
  const members: number[] = [];
  for (let rest = set; rest !== 0; rest &= rest - 1) members.push(31 - Math.clz32(rest & -rest));
  return members;
};

/** What a noun phrase says of its objects; what it leaves open is missing. */
export type Filter = Partial<ObjectAttributes>;

export const attributesOf = (filter: Filter): Attribute[] => ATTRIBUTES.filter((name) => filter[name] !== undefined);

/** The part of an object's attributes that the list names. */
export const filterOf = (object: ObjectAttributes, attributes: readonly Attribute[]): Filter =>
  Object.fromEntries(attributes.map((name) => [name, object[name]]));

/** Two objects whose centres are nearer than this share of the width are not surely left or right of each other. */
const SURE_SHARE = 0.012;

/** Set arithmetic over one scene, made once per scene. */
export class ObjectSets {
  readonly all: ObjectSet;
  private readonly byValue = new Map<string, ObjectSet>();
  private readonly sides: Readonly<Record<Relation, readonly ObjectSet[]>>;
  private readonly doubts: Readonly<Record<Relation, readonly ObjectSet[]>>;

  constructor(readonly scene: TextScene) {
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
          const inImage = shift > SURE_SHARE * width ? 1 : shift < -SURE_SHARE * width ? 0 : undefined;
          return j !== i && inImage !== inSpace ? set | (1 << j) : set;
        }, 0);
      });
    this.doubts = { left: doubts('left'), right: doubts('right'), front: doubts('front'), behind: doubts('behind') };
  }

  matching(filter: Filter): ObjectSet {
    let set = this.all;
    for (const name of ATTRIBUTES) {
      const value = filter[name];
      if (value !== undefined) set &= this.byValue.get(value) ?? 0;
    }
    return set;
  }

  /** The objects on that side of object i, as CLEVR has it: along the ground. */
  related(i: number, relation: Relation): ObjectSet {
    return this.sides[relation][i]!;
  }

  /**
   * Objects for which the ground and the picture disagree, or nearly: perspective can move a far object to the other
   * side of a near one. No text depends on them.
   */
  doubtful(i: number, relation: Relation): ObjectSet {
    return this.doubts[relation][i]!;
  }

  /** The objects that share object i's value, without i itself. */
  same(i: number, attribute: Attribute): ObjectSet {
    return this.matching({ [attribute]: this.scene.objects[i]![attribute] }) & ~(1 << i);
  }

  /** The member with all others of the set on its other side; undefined when that is not sure. */
  extreme(set: ObjectSet, relation: Relation): number | undefined {
    return membersOf(set).find((i) => {
      const others = set & ~(1 << i);
      return (
        (others & ~this.sides[OPPOSITE[relation]][i]!) === 0 && (others & this.doubts[OPPOSITE[relation]][i]!) === 0
      );
    });
  }

  /** The attributes of the filter without which it would fit more objects. */
  needed(filter: Filter): Attribute[] {
    const set = this.matching(filter);
    return attributesOf(filter).filter((name) => this.matching({ ...filter, [name]: undefined }) !== set);
  }
}

export const OPPOSITE: Readonly<Record<Relation, Relation>> = {
  left: 'right',
  right: 'left',
  front: 'behind',
  behind: 'front',
};

export const isRelation = (word: string): word is Relation => (RELATIONS as readonly string[]).includes(word);

import { dot, subtract, type Directions, type Vector } from './camera.ts';

export const RELATIONS = ['left', 'right', 'front', 'behind'] as const;
export type Relation = (typeof RELATIONS)[number];

/** `relationships.left[i]` lists the objects that are left of object i, in rising order; as in CLEVR's scenes.json. */
export type Relationships = Readonly<Record<Relation, readonly (readonly number[])[]>>;

/** An object is on a side when it is more than this much farther along the direction (CLEVR's `eps`). */
const CLEVR_EPSILON = 0.2;

export const relationshipsOf = (positions: readonly Vector[], directions: Directions): Relationships => {
  const along = (direction: Vector): readonly (readonly number[])[] =>
    positions.map((from) =>
      positions.flatMap((to, j) => (to !== from && dot(subtract(to, from), direction) > CLEVR_EPSILON ? [j] : [])),
    );
  return {
    left: along(directions.left),
    right: along(directions.right),
    front: along(directions.front),
    behind: along(directions.behind),
  };
};

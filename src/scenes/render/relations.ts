import { dot, subtract, type Directions, type Vector } from './camera.ts';

/** Spatial relations of CLEVR. */
export const RELATIONS = ['left', 'right', 'front', 'behind'] as const;
/** Spatial relation of two objects. */
export type Relation = (typeof RELATIONS)[number];

/** Relations as in CLEVR's scenes.json: `relationships.left[i]` lists the objects left of object i, in ascending order. */
export type Relationships = Readonly<Record<Relation, readonly (readonly number[])[]>>;

/** Minimum distance along a direction for the relation to hold (CLEVR's `eps`). */
const CLEVR_EPSILON = 0.2;

/** Relations of objects at the given positions. */
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

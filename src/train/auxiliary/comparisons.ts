import {
  ATTRIBUTES,
  RELATIONS,
  runProgram,
  type ObjectSet,
  type Program,
  type ProgramStep,
  type Relation,
  type TextScene,
} from '../../scenes/index.ts';
import { membersOf, ObjectSets, OPPOSITE } from '../../scenes/language/object-sets.ts';

/** Kinds of comparisons between objects: the relations of `RELATIONS`, then the same value of each attribute. */
export const COMPARISON_KINDS = RELATIONS.length + ATTRIBUTES.length;

/** Objects that a caption compares in one way. */
export interface Comparison {
  /** One of the `COMPARISON_KINDS`. */
  readonly kind: number;
  /** Objects that others are compared with: the red cube in "left of the red cube", all cubes in "the leftmost cube". */
  readonly landmarks: readonly number[];
  /** Objects that are compared with the landmarks: all others, or all cubes. */
  readonly compared: readonly number[];
}

/**
 * Comparisons that programs make, at most one of each kind: `relate` and `same` compare all objects with one, a
 * superlative ("leftmost") the objects of a set with one another, along the opposite relation. Objects for which ground and
 * image disagree about a relation are left out.
 */
export const comparisonsOf = (scene: TextScene, programs: readonly Program[]): readonly Comparison[] => {
  const sets = new ObjectSets(scene);
  const landmarks = new Map<number, ObjectSet>();
  const compared = new Map<number, ObjectSet>();
  const include = (kind: number, ofLandmarks: ObjectSet, others: ObjectSet): void => {
    landmarks.set(kind, (landmarks.get(kind) ?? 0) | ofLandmarks);
    compared.set(kind, (compared.get(kind) ?? 0) | others);
  };
  const includeStep = (program: Program, { function: name, inputs, value_inputs: values }: ProgramStep): void => {
    const shared = ATTRIBUTES.findIndex((attribute) => name === `same_${attribute}`);
    if (name !== 'relate' && name !== 'superlative' && shared < 0) return;
    const value = runProgram(sets, program.slice(0, inputs[0]! + 1));
    if (typeof value !== 'object') return;
    const side = values[0] as Relation;
    if ('set' in value) include(RELATIONS.indexOf(OPPOSITE[side]), value.set, value.set);
    else {
      const landmark = 1 << value.object;
      const others = sets.all & ~landmark;
      if (shared >= 0) include(RELATIONS.length + shared, landmark, others);
      else include(RELATIONS.indexOf(side), landmark, others & ~sets.doubtful(value.object, side));
    }
  };
  for (const program of programs) for (const step of program) includeStep(program, step);
  return [...landmarks].map(([kind, set]) => ({
    kind,
    landmarks: membersOf(set),
    compared: membersOf(compared.get(kind)!),
  }));
};

/**
 * For each of the `COMPARISON_KINDS` and each object of a scene, the objects that are clearly on that side of it, or have
 * the same value.
 */
export const relatedObjectsOf = (scene: TextScene): readonly (readonly (readonly number[])[])[] => {
  const sets = new ObjectSets(scene);
  const forAll = (related: (landmark: number) => ObjectSet) =>
    scene.objects.map((_, landmark) => membersOf(related(landmark)));
  return [
    ...RELATIONS.map((side) => forAll((landmark) => sets.related(landmark, side) & ~sets.doubtful(landmark, side))),
    ...ATTRIBUTES.map((attribute) => forAll((landmark) => sets.same(landmark, attribute))),
  ];
};

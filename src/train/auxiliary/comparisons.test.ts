import { describe, expect, it } from 'vitest';
import { ATTRIBUTES, describeScene, makeTexts, Random, RELATIONS, type ExpressionText } from '../../scenes/index.ts';
import { OPPOSITE } from '../../scenes/language/object-sets.ts';
import { comparisonsOf, relatedObjectsOf } from './comparisons.ts';

const scenes = Array.from({ length: 60 }, (_, index) =>
  describeScene(12, index, { split: 'standard', width: 96, height: 64, minObjects: 3, maxObjects: 8 }),
);

const expressionsOf = (type: ExpressionText['type']) =>
  scenes.flatMap((scene, index) =>
    makeTexts(scene, 'expression', Random.of(3, index), { count: 4, expressionTypes: [type] }).map((expression) => ({
      scene,
      expression,
      links: comparisonsOf(scene, [expression.program]),
    })),
  );

describe('comparisons of a text', () => {
  it('of "the cube left of the ball": all clear objects are compared with the ball, and the cube is left of it', () => {
    const found = expressionsOf('relation');
    expect(found.length).toBeGreaterThan(100);
    for (const { scene, expression, links } of found) {
      const [link, ...others] = links;
      expect(others).toEqual([]);
      const anchor = expression.phrases.find(({ role }) => role === 'anchor')!;
      expect(link!.landmarks).toEqual(anchor.objects);
      expect(link!.compared).toContain(expression.target);
      expect(link!.compared).not.toContain(anchor.objects[0]);
      expect(relatedObjectsOf(scene)[link!.kind]![anchor.objects[0]!]).toContain(expression.target);
    }
  });

  it('of superlatives: every compared object but the target has others on the opposite side', () => {
    const found = expressionsOf('superlative');
    expect(found.length).toBeGreaterThan(100);
    for (const { scene, expression, links } of found) {
      const [link] = links;
      const side = RELATIONS[link!.kind]!;
      expect(expression.program.at(-1)!.value_inputs).toEqual([OPPOSITE[side]]);
      expect(link!.landmarks).toEqual(link!.compared);
      const sides = relatedObjectsOf(scene)[link!.kind]!;
      for (const object of link!.compared)
        expect(link!.landmarks.some((landmark) => sides[landmark]!.includes(object))).toBe(
          object !== expression.target,
        );
    }
  });

  it('of "the cube of the same color as the ball": all others are compared with the ball, and the cube has its value', () => {
    const found = expressionsOf('same');
    expect(found.length).toBeGreaterThan(50);
    for (const { scene, expression, links } of found) {
      const [link] = links;
      const anchor = expression.phrases.find(({ role }) => role === 'anchor')!.objects[0]!;
      const shared = ATTRIBUTES[link!.kind - RELATIONS.length]!;
      expect(link!.landmarks).toEqual([anchor]);
      expect(link!.compared.length).toBe(scene.objects.length - 1);
      expect(scene.objects[expression.target]![shared]).toBe(scene.objects[anchor]![shared]);
      expect(relatedObjectsOf(scene)[link!.kind]![anchor]).toContain(expression.target);
    }
  });

  it('of attributes: none', () => {
    for (const { links } of expressionsOf('attributes')) expect(links).toEqual([]);
  });
});

import { describe, expect, it } from 'vitest';
import { Random } from '../../random/random.ts';
import { describeScene } from '../render/scene.ts';
import { joinExpressions } from './joined-expressions.ts';
import { ObjectSets } from './object-sets.ts';
import { runProgram } from './program.ts';

const scenes = Array.from({ length: 80 }, (_, index) =>
  describeScene(14, index, { split: 'standard', width: 96, height: 64, minObjects: 3, maxObjects: 8 }),
);
const join = (scene: (typeof scenes)[number], count: number, seed = 5) =>
  joinExpressions(scene, count, Random.of(seed, scenes.indexOf(scene)), { language: 'wide' });

describe('joined expressions', () => {
  it('have phrases that are whole in the joined text, and each program finds the target of its own', () => {
    for (const scene of scenes) {
      const { text, phrases, programs } = join(scene, 3)!;
      const targets = phrases.filter(({ role }) => role === 'target');
      expect(targets).toHaveLength(programs.length);
      programs.forEach((program, index) =>
        expect(runProgram(new ObjectSets(scene), program)).toEqual({ object: targets[index]!.objects[0] }),
      );
      for (const { start, end } of phrases) expect(text.slice(start, end)).toMatch(/^\w.*\w$/);
    }
  });

  it('mention no object twice, and are as many as asked where the scene allows it', () => {
    const counts = scenes.map((scene) => {
      const { phrases, programs } = join(scene, 3)!;
      const objects = phrases.flatMap((phrase) => phrase.objects);
      expect(new Set(objects).size).toBe(objects.length);
      return programs.length;
    });
    expect(Math.max(...counts)).toBe(3);
    expect(counts.filter((count) => count > 1).length).toBeGreaterThan(60);
    for (const scene of scenes) expect(join(scene, 1)!.programs).toHaveLength(1);
  });

  it('are the same for the same seed', () => {
    expect(join(scenes[0]!, 3)).toEqual(join(scenes[0]!, 3));
    expect(scenes.some((scene) => join(scene, 3)!.text !== join(scene, 3, 6)!.text)).toBe(true);
  });

  it('do not exist for a scene of one object whose expressions need others', () => {
    const scene = describeScene(14, 1, { split: 'standard', width: 96, height: 64, minObjects: 1, maxObjects: 1 });
    expect(joinExpressions(scene, 2, Random.of(1), { expressionTypes: ['relation'] })).toBeUndefined();
  });
});

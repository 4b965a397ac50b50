import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { nanodetLevels, syntheticImage } from '../../../test/support/nanodet.ts';
import { runtime } from '../../../test/support/op-check.ts';
import { syntheticWeight } from '../../../test/support/synthetic-weights.ts';
import { input, makeProgram, symbolicDim } from '../../engine/graph/index.ts';
import { Scope } from '../../nn/index.ts';
import { parseModelConfig } from '../config.ts';
import { buildBackbone } from './build-backbone.ts';
import { NANODET_PROPOSALS } from './nanodet.ts';

interface Fixture {
  readonly side: number;
  readonly outputs: Readonly<Record<string, { readonly index: readonly number[]; readonly value: readonly number[] }>>;
}

const weights = new URL('../../../models/photos/model.safetensors', import.meta.url).pathname;
const hasWeights = existsSync(weights);

describe('NanoDet-g', () => {
  it.skipIf(!hasWeights)(
    `equals the original graph in tfjs within 1e-3${hasWeights ? '' : ' (skipped: models/photos, which has the weights, is not there)'}`,
    async () => {
      const fixture = JSON.parse(
        readFileSync(new URL('../../../test/fixtures/nanodet.json', import.meta.url), 'utf8'),
      ) as Fixture;
      const levels = await nanodetLevels(weights, syntheticImage(fixture.side).normalized, fixture.side);
      levels.forEach((level, stride) => {
        for (const kind of ['scores', 'distances'] as const) {
          const { index, value } = fixture.outputs[`${kind}${stride}`]!;
          index.forEach((at, k) => expect(Math.abs(level[kind][at]! - value[k]!)).toBeLessThan(1e-3));
        }
      });
    },
  );

  it('gives maps, proposals inside the image by falling score, and mean colors, for any multiple of 32', async () => {
    const scope = new Scope();
    const backbone = buildBackbone(scope.at('backbone').at(0).at('body'), parseModelConfig({ backbone: 'nanodet' }));
    const [height, width] = ['height', 'width'].map(symbolicDim);
    const { maps, proposals, colors } = backbone.detect!(input('image', [1, 3, height!, width!]));
    const session = await runtime.load(
      makeProgram('nanodet', { map: maps.at(-1)!, boxes: proposals.boxes, scores: proposals.scores, colors }),
    );
    try {
      const parameters = Object.fromEntries(
        scope.registry.specs.map(({ name, shape }) => [name, syntheticWeight(name, shape)]),
      );
      const image = new Float32Array(3 * 128 * 192).fill((1 - 0.456) / 0.224, 128 * 192, 2 * 128 * 192);
      const found = await session.run({
        ...parameters,
        image: { dtype: 'float32', shape: [1, 3, 128, 192], data: image },
      });
      expect(found['map']!.shape).toEqual([1, 1152, 4, 6]);
      expect(backbone.channels.at(-1)).toBe(1152);
      expect(found['scores']!.shape).toEqual([1, NANODET_PROPOSALS, 80]);
      const scores = found['scores']!.data as Float32Array;
      const best = Array.from({ length: NANODET_PROPOSALS }, (_, row) =>
        Math.max(...scores.subarray(row * 80, row * 80 + 80)),
      );
      expect(best).toEqual(best.toSorted((a, b) => b - a));
      for (const value of found['boxes']!.data as Float32Array) expect(value >= 0 && value <= 1).toBe(true);
      // The image is ImageNet's mean color, except for green, which is at its maximum.
      expect(found['colors']!.shape).toEqual([1, 3, 16, 24]);
      const [red, green, blue] = [0, 1, 2].map((channel) => Number(found['colors']!.data[channel * 16 * 24]));
      expect(red).toBeCloseTo(0.485, 4);
      expect(green).toBeCloseTo(1, 4);
      expect(blue).toBeCloseTo(0.406, 4);
    } finally {
      await session.dispose();
    }
  });

  it('is frozen', () => {
    const backbone = buildBackbone(new Scope(), parseModelConfig({ backbone: 'nanodet' }));
    expect(backbone.isTrainable('stem.weight')).toBe(false);
  });
});

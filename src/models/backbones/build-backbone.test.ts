import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { syntheticNumbers, syntheticWeight } from '../../../test/support/synthetic-weights.ts';
import { runtime } from '../../../test/support/op-check.ts';
import { fixtureReference } from '../../../test/support/reference-case.ts';
import { input, makeProgram, symbolicDim, type HostTensor } from '../../engine/graph/index.ts';
import { Scope } from '../../nn/index.ts';
import { buildBackbone } from './build-backbone.ts';
import { parseModelConfig } from '../config.ts';

interface FeatureFixture {
  readonly channels?: readonly number[];
  readonly keys: readonly (readonly [name: string, shape: readonly number[]])[];
  /** Exponents of two that scale the batch norm weights, so that activations neither vanish nor explode. */
  readonly gainLog2?: Readonly<Record<string, number>>;
  readonly cases: readonly {
    readonly image: string;
    readonly shape: readonly [number, number, number, number];
    readonly maps: readonly {
      readonly name: string;
      readonly shape: readonly number[];
      readonly maxAbs: number;
      readonly index: readonly number[];
      readonly value: readonly number[];
    }[];
  }[];
}

const fixturesFolder = join(fixtureReference, '..');
const readFixture = (path: string): FeatureFixture =>
  JSON.parse(readFileSync(join(fixturesFolder, path), 'utf8')) as FeatureFixture;

const weightOf = (fixture: FeatureFixture, name: string, shape: readonly number[]): HostTensor => {
  const value = syntheticWeight(name, shape);
  const gain = 2 ** (fixture.gainLog2?.[name] ?? 0);
  return gain === 1
    ? value
    : ({ ...value, data: (value.data as Float32Array).map((number) => number * gain) } as HostTensor);
};

/** Runs the backbone on the fixture's images, of odd and even sizes, with one program and compares sampled positions. */
const checkFeatures = async (backbone: string, fixture: FeatureFixture): Promise<void> => {
  const scope = new Scope();
  const built = buildBackbone(scope.at('backbone').at(0).at('body'), parseModelConfig({ backbone }));
  if (fixture.channels !== undefined) expect(built.channels).toEqual(fixture.channels);
  const { specs } = scope.registry;
  expect(specs.map(({ name, shape }) => [name, shape])).toEqual(fixture.keys);
  const [batch, height, width] = ['batch', 'height', 'width'].map(symbolicDim);
  const maps = built.forward(input('image', [batch!, 3, height!, width!]));
  const session = await runtime.load(
    makeProgram('features', Object.fromEntries(maps.map((map, level) => [`map${level}`, map]))),
  );
  const parameters = Object.fromEntries(specs.map(({ name, shape }) => [name, weightOf(fixture, name, shape)]));
  try {
    for (const { image, shape, maps: expected } of fixture.cases) {
      const pixels = syntheticNumbers(
        image,
        shape.reduce((a, b) => a * b, 1),
        (u) => 2 * u - 1,
      );
      const results = await session.run({ ...parameters, image: { dtype: 'float32', shape, data: pixels } });
      for (const { name, shape: mapShape, maxAbs, index, value } of expected) {
        // timm counts its taps from 0, torchvision its stages from 1.
        const level = Number(/\d+$/.exec(name)![0]) - (backbone.startsWith('resnet') ? 1 : 0);
        const found = results[`map${level}`]!;
        expect(found.shape).toEqual(mapShape);
        index.forEach((position, k) => {
          const difference = Math.abs((found.data as Float32Array)[position]! - value[k]!);
          expect(difference, `${image} ${name}[${position}]`).toBeLessThanOrEqual(1e-4 * maxAbs);
        });
      }
    }
  } finally {
    await session.dispose();
  }
};

describe('EfficientNet equals timm (tf_efficientnet_bN_ns, features_only, frozen batch norm)', () => {
  it.each(['b0', 'b1', 'b2', 'b3', 'b4', 'b5', 'b6', 'b7'])('%s', async (variant) => {
    await checkFeatures(`timm_tf_efficientnet_${variant}_ns`, readFixture(`efficientnet/${variant}.json`));
  });
});

describe('ResNet with group norm equals torchvision', () => {
  it.each(['resnet50', 'resnet101'])('%s-gn', async (name) => {
    await checkFeatures(`${name}-gn`, readFixture(`resnet-gn/${name}-gn.json`));
  });
});

describe('the backbone of a config', () => {
  const build = (values: Record<string, unknown>) => buildBackbone(new Scope(), parseModelConfig(values));
  it('must be known and support its options', () => {
    expect(() => build({ backbone: 'vgg16' })).toThrow(/backbone "vgg16" is unknown: use one of resnet18/);
    expect(() => build({ backbone: 'resnet18', dilation: 1 })).toThrow(/dilation needs a ResNet with bottlenecks/);
  });
  it('trains the parameters that the official code trains', () => {
    expect(build({ backbone: 'resnet50' }).isTrainable('backbone.0.body.layer1.0.conv1.weight')).toBe(false);
    expect(build({ backbone: 'resnet50' }).isTrainable('backbone.0.body.layer2.0.conv1.weight')).toBe(true);
    expect(build({ backbone: 'timm_tf_efficientnet_b0_ns' }).isTrainable('backbone.0.body.conv_stem.weight')).toBe(
      true,
    );
  });
});

import { describe, expect, it } from 'vitest';
import { loadCase } from '../../test/support/reference-case.ts';
import { runtime } from '../../test/support/op-check.ts';
import { syntheticWeight } from '../../test/support/synthetic-weights.ts';
import { input, leafName, makeProgram, symbolicDim, type HostTensor, type Program } from '../engine/graph/index.ts';
import { Scope } from '../nn/index.ts';
import { parseModelConfig } from './config.ts';
import { MdetrNetwork } from './mdetr-network.ts';
import { LearnedPositionEncoding, SinePositionEncoding, type PositionEncoding } from './position-encoding.ts';

const run = async (program: Program, feeds: Record<string, HostTensor>): Promise<Record<string, HostTensor>> => {
  const session = await runtime.load(program);
  const weights = program.parameters.map((tensor) => [
    leafName(tensor),
    syntheticWeight(leafName(tensor), tensor.shape as number[]),
  ]);
  try {
    return await session.run({ ...feeds, ...(Object.fromEntries(weights) as Record<string, HostTensor>) });
  } finally {
    await session.dispose();
  }
};

/** (B, h·w, D) for a mask (B, h, w). */
const encode = async (encoding: PositionEncoding, mask: HostTensor): Promise<HostTensor> => {
  const [batch, height, width] = ['batch', 'height', 'width'].map(symbolicDim);
  const padding = input('mask', [batch!, height!, width!], 'bool');
  const program = makeProgram('positions', { out: encoding.forward(padding) }, { alsoInputs: [padding] });
  return (await run(program, { mask }))['out']!;
};

/** (B, D, h, w) → (B, h·w, D). */
const channelsLast = (data: Float32Array, [batch, features, height, width]: readonly number[]): Float32Array => {
  const places = height! * width!;
  return Float32Array.from({ length: data.length }, (_, i) => {
    const feature = i % features!;
    const place = Math.floor(i / features!) % places;
    const sample = Math.floor(i / (features! * places));
    return data[(sample * features! + feature) * places + place]!;
  }).subarray(0, batch! * places * features!);
};

describe('sine positions', () => {
  const reference = loadCase('criterion');
  const { shape, data } = reference.typed('position.mask', 'u8');
  const mask: HostTensor = { dtype: 'bool', shape, data };

  it.each([64, 256])('equal the official ones for %d features and all kinds of padding', async (features) => {
    const expected = reference.typed(`position.sine${features}`, 'f32');
    const found = await encode(new SinePositionEncoding(features, 10_000), mask);
    expect(found.shape).toEqual([shape[0], shape[1]! * shape[2]!, features]);
    const wanted = channelsLast(expected.data, expected.shape);
    (found.data as Float32Array).forEach((value, i) => expect(Math.abs(value - wanted[i]!)).toBeLessThan(2e-6));
  });

  it('depend on the temperature in all waves but the first', async () => {
    const [hot, cold] = [
      await encode(new SinePositionEncoding(16, 10_000), mask),
      await encode(new SinePositionEncoding(16, 20), mask),
    ];
    const differs = (feature: number): boolean =>
      (hot.data as Float32Array).some((value, i) => i % 16 === feature && value !== cold.data[i]);
    expect(Array.from({ length: 16 }, (_, feature) => differs(feature))).toEqual(
      Array.from({ length: 16 }, (_, feature) => feature % 8 > 1),
    );
  });
});

describe('learned positions', () => {
  it('are column and row embeddings, independent of padding', async () => {
    const scope = new Scope().at('backbone').at(1);
    const mask: HostTensor = {
      dtype: 'bool',
      shape: [2, 3, 4],
      data: Uint8Array.from({ length: 24 }, (_, i) => i % 2),
    };
    const found = await encode(new LearnedPositionEncoding(scope, 8), mask);
    const table = (axis: string): Float32Array =>
      syntheticWeight(`backbone.1.${axis}_embed.weight`, [50, 4]).data as Float32Array;
    const expected = Array.from({ length: 24 }, (_, place) => {
      const [row, column] = [Math.floor((place % 12) / 4), place % 4];
      return [...table('col').subarray(column * 4, column * 4 + 4), ...table('row').subarray(row * 4, row * 4 + 4)];
    });
    expect([...found.data]).toEqual(expected.flat());
  });
});

describe('the padding of a feature map', () => {
  const { maskDownsample } = loadCase('criterion').json as {
    maskDownsample: { H: number; valid: number; h: number; firstPadded: number }[];
  };

  it(`equals the official one (${maskDownsample.length} sizes)`, async () => {
    const model = new MdetrNetwork(
      parseModelConfig({
        // Five halvings, as in a ResNet.
        small_backbone: { widths: [4, 4, 4, 4, 4], groups: 2 },
        hidden_dim: 8,
        nheads: 1,
        dim_feedforward: 8,
        enc_layers: 1,
        dec_layers: 1,
        text_encoder_type: 'tiny-roberta',
      }),
    );
    const [height, width] = ['height', 'width'].map(symbolicDim);
    const features = model.encodeImage(
      input('image', [1, 3, height!, width!]),
      input('padding', [1, height!, width!], 'bool'),
    );
    const program = makeProgram('image', { feature_padding: features.padding, src: features.src });
    for (const { H, valid, h, firstPadded } of maskDownsample) {
      const data = Uint8Array.from({ length: H * 32 }, (_, i) => (i < valid * 32 ? 0 : 1));
      const { feature_padding: found } = await run(program, {
        image: { dtype: 'float32', shape: [1, 3, H, 32], data: new Float32Array(3 * H * 32) },
        padding: { dtype: 'bool', shape: [1, H, 32], data },
      });
      expect([...found!.data].map(Number), `${valid} of ${H} rows`).toEqual(
        Array.from({ length: h }, (_, row) => (row < firstPadded ? 0 : 1)),
      );
    }
  });
});

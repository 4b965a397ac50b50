import { afterAll, describe, expect, it } from 'vitest';
import {
  definedTensors,
  float32Tensor,
  input,
  makeProgram,
  reachableNodes,
  symbolicDim,
  type HostTensor,
  type Tensor,
} from '../../engine/graph/index.ts';
import { add, mul, sparseGradients, sum } from '../../engine/ops/index.ts';
import type { Session } from '../../engine/runtime/runtime.ts';
import { evaluate, noise, runtime } from '../../../test/support/op-check.ts';
import { parseModelConfig } from '../config.ts';
import { initialValue } from '../initial-weights.ts';
import type { ForwardPass } from '../forward-pass.ts';
import { MdetrNetwork } from '../mdetr-network.ts';
import { SinePositionEncoding } from '../position-encoding.ts';
import { boxesAround, cellCenters } from './encoder-head.ts';
import { boxCodes } from './query-positions.ts';
import { boxLogits } from './query-selection.ts';

const small = {
  small_backbone: { widths: [4, 8, 8, 8], groups: 2 },
  hidden_dim: 16,
  nheads: 2,
  enc_layers: 1,
  dec_layers: 3,
  dim_feedforward: 24,
  num_queries: 4,
  pre_norm: true,
  decoder_pre_norm: true,
  position_temperature: 20,
  text_encoder: {
    hidden_size: 12,
    num_hidden_layers: 1,
    num_attention_heads: 2,
    intermediate_size: 16,
    vocab_size: 20,
    max_position_embeddings: 12,
  },
  do_qa: true,
  split_qa_heads: true,
  predict_final: true,
};

const sessions: Session[] = [];
afterAll(() => Promise.all(sessions.map((session) => session.dispose())));

/** A small network's forward pass for two images of 64 × 96 with a caption each, the second padded to half its width. */
const trace = (values: Readonly<Record<string, unknown>>): { model: MdetrNetwork; pass: ForwardPass } => {
  const model = new MdetrNetwork(parseModelConfig({ ...small, ...values }));
  const [batch, height, width, length] = ['batch', 'height', 'width', 'tokens'].map(symbolicDim);
  const features = model.encodeImage(
    input('image', [batch!, 3, height!, width!]),
    input('padding', [batch!, height!, width!], 'bool'),
  );
  const captions = {
    inputIds: input('ids', [batch!, length!], 'int32'),
    attentionMask: input('mask', [batch!, length!], 'int32'),
  };
  return { model, pass: model.forward(features, captions, { layers: 'all' }) };
};

const feeds: Record<string, HostTensor> = {
  image: { dtype: 'float32', shape: [2, 3, 64, 96], data: Float32Array.from(noise(2 * 3 * 64 * 96, 1)) },
  padding: {
    dtype: 'bool',
    shape: [2, 64, 96],
    data: Uint8Array.from({ length: 2 * 64 * 96 }, (_, pixel) => (pixel >= 64 * 96 && pixel % 96 >= 48 ? 1 : 0)),
  },
  ids: { dtype: 'int32', shape: [2, 4], data: Int32Array.of(0, 7, 8, 2, 0, 9, 5, 2) },
  mask: { dtype: 'int32', shape: [2, 4], data: new Int32Array(8).fill(1) },
};

/** Initial values, with noise where they are 0, so that no gradient is 0 for want of a product. */
const parametersOf = (model: MdetrNetwork): Map<string, HostTensor> =>
  new Map(
    model.registry.specs.map((spec, index) => {
      const value = initialValue(spec, 3);
      if (spec.kind === 'buffer' || !spec.name.includes('bbox_embed')) return [spec.name, value];
      const drawn = noise(value.data.length, 50 + index);
      return [spec.name, { ...value, data: Float32Array.from(drawn, (x) => 0.2 * x) } as HostTensor];
    }),
  );

const load = async (program: Parameters<typeof runtime.load>[0]): Promise<Session> => {
  const session = await runtime.load(program);
  sessions.push(session);
  return session;
};

const floats = ({ data }: HostTensor): Float32Array => data as Float32Array;
const dot = (a: ArrayLike<number>, b: ArrayLike<number>): number =>
  Array.from(a).reduce((total, value, index) => total + value * b[index]!, 0);

describe('gradients with selected queries', () => {
  // Gradients stop at scores, indices and reference boxes, so differences are taken while these keep their values.
  it.each([
    ['selected boxes', 2, { query_selection: 'boxes' }],
    ['selected boxes and refinement', 4, { query_selection: 'boxes', box_refinement: true }],
    ['everything', 5, { query_selection: 'features', box_refinement: true, selection_suppression: 0.6 }],
  ])('%s: equal central differences', async (_, stops, values) => {
    const { model, pass } = trace(values);
    const outputs = definedTensors({ ...pass.predictions, ...pass.cells });
    const stopped = reachableNodes(Object.values(outputs)).flatMap((node) =>
      node.kind === 'op' && node.op.name === 'stopGradient' ? [node.outputs[0]!] : [],
    );
    expect(stopped.length).toBe(stops);
    const given = Object.fromEntries(stopped.map((tensor, index) => [`stopped${index}`, tensor]));
    const names = Object.keys(outputs);
    const cotangents = names.map((name, index) => {
      const shape = outputs[name]!.shape;
      return { name: `d_${name}`, tensor: input(`d_${name}`, shape), seed: 100 + index };
    });
    const specs = model.registry.specs.filter(({ kind }) => kind === 'parameter');
    const found = sparseGradients(
      names.map((name, index) => ({ tensor: outputs[name]!, cotangent: cotangents[index]!.tensor })),
      specs.map(({ tensor }) => tensor),
    );
    const gradients: Record<string, Tensor> = {};
    specs.forEach(({ name }, index) => found[index] && (gradients[`gradient of ${name}`] = found[index]));
    expect(Object.keys(gradients).filter((name) => /encoder_head|query_/.test(name)).length).toBeGreaterThan(8);

    const parameters = parametersOf(model);
    const run = (session: Session, extra: Record<string, HostTensor>, own = parameters) =>
      session.run({ ...Object.fromEntries(own), ...feeds, ...extra });
    const forward = await load(makeProgram('forward', { ...outputs, ...given }));
    const base = await run(forward, {});
    const frozen = Object.fromEntries(Object.keys(given).map((name) => [name, base[name]!]));
    const weights = Object.fromEntries(
      cotangents.map(({ name, seed }, index) => {
        const { shape, data } = base[names[index]!]!;
        return [name, float32Tensor(shape, Array.from(noise(data.length, seed)))] as const;
      }),
    );
    const backward = await load(makeProgram('backward', gradients));
    const slopes = await run(backward, weights);
    const replay = await load(makeProgram('replay', outputs, { given }));
    const totalAt = async (step: number, directions: ReadonlyMap<string, Float64Array>): Promise<number> => {
      const moved = new Map(
        [...parameters].map(([name, value]) => {
          const own = directions.get(name);
          if (own === undefined) return [name, value];
          return [name, { ...value, data: floats(value).map((x, i) => x + step * own[i]!) } as HostTensor];
        }),
      );
      const results = await run(replay, frozen, moved);
      return names.reduce((total, name) => total + dot(floats(results[name]!), floats(weights[`d_${name}`]!)), 0);
    };
    for (let k = 0; k < 3; k++) {
      const directions = new Map(
        Object.keys(gradients).map((name, index) => {
          const parameter = name.slice('gradient of '.length);
          const values = floats(parameters.get(parameter)!);
          const size = Math.sqrt(dot(values, values) / values.length) || 0.05;
          return [parameter, noise(values.length, 1000 * (k + 1) + index).map((x) => size * x)];
        }),
      );
      const expected = Object.entries(slopes).reduce(
        (total, [name, value]) => total + dot(floats(value), directions.get(name.slice('gradient of '.length))!),
        0,
      );
      // One of the distances avoids both the kinks of ReLU and the rounding of float32.
      const differences = await Promise.all(
        [3e-4, 1e-4, 3e-5].map(
          async (step) => ((await totalAt(step, directions)) - (await totalAt(-step, directions))) / (2 * step),
        ),
      );
      const nearest = differences.sort((a, b) => Math.abs(a - expected) - Math.abs(b - expected))[0]!;
      expect(Math.abs(nearest - expected)).toBeLessThan(0.01 * Math.abs(expected) + 0.1);
    }
  });

  it('does not reach the encoder through the selection', () => {
    const { model, pass } = trace({ query_selection: 'features', box_refinement: true });
    const of = (name: string): Tensor => model.registry.get(name)!.tensor;
    const fromBoxes = sparseGradients(
      [{ tensor: pass.predictions.pred_boxes, cotangent: input('d', pass.predictions.pred_boxes.shape) }],
      [of('encoder_head.box.weight'), of('encoder_head.tokens.weight'), of('query_content.linear.weight')],
    );
    expect(fromBoxes.map((gradient) => gradient !== undefined)).toEqual([false, false, true]);
  });
});

describe('refinement', () => {
  it('starts from the selected boxes: an untrained network returns them from every layer', async () => {
    const { model, pass } = trace({ query_selection: 'features', box_refinement: true, selection_suppression: 0.6 });
    const nodes = reachableNodes([pass.predictions.pred_boxes]);
    const [boxes] = nodes.flatMap((node) =>
      node.kind === 'op' && node.op.name === 'stopGradient' && node.outputs[0]!.rank === 3 ? node.outputs : [],
    );
    const session = await load(makeProgram('boxes', { boxes: boxes!, found: pass.predictions.pred_boxes }));
    const initial = model.registry.specs.map((spec) => [spec.name, initialValue(spec, 3)] as const);
    const results = await session.run({ ...Object.fromEntries(initial), ...feeds });
    const start = floats(results['boxes']!);
    const found = floats(results['found']!);
    expect(found.length).toBe(3 * start.length);
    found.forEach((value, index) => {
      const expected = Math.min(0.999, Math.max(0.001, start[index % start.length]!));
      expect(Math.abs(value - expected)).toBeLessThan(1e-5);
    });
  });

  it('inverts the sigmoid between 0.001 and 0.999', async () => {
    const { out } = await evaluate((x) => boxLogits(x), [{ shape: [4], data: [0, 0.25, 0.5, 1] }]);
    [Math.log(0.001 / 0.999), Math.log(1 / 3), 0, Math.log(999)].forEach((value, index) =>
      expect(out!.data[index]).toBeCloseTo(value, 3),
    );
  });
});

describe('codes of boxes', () => {
  it('are those of the keys where a box is centered on a position', async () => {
    // Two rows and three columns; the second image fills two columns of one row.
    const padding = [0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1];
    const centers = [
      [1.5 / 3, 1.5 / 2],
      [1.5 / 2, 0.5],
    ];
    const results = await evaluate(
      (mask, boxes) => ({
        keys: new SinePositionEncoding(16, 20).forward(mask),
        codes: boxCodes(boxes, mask, 8, 20),
      }),
      [
        { shape: [2, 2, 3], data: padding, dtype: 'bool' },
        { shape: [2, 1, 4], data: centers.flatMap((center) => [...center, 0.25, 0.5]) },
      ],
    );
    const [keys, codes] = [results['keys']!, results['codes']!];
    [4, 1].forEach((position, image) => {
      const key = keys.data.slice(16 * (6 * image + position), 16 * (6 * image + position + 1));
      const code = codes.data.slice(32 * image, 32 * (image + 1));
      key.forEach((value, index) => expect(code[index]).toBeCloseTo(value, 4));
      expect(code[16]).toBeCloseTo(Math.sin(0.25 * 2 * Math.PI), 6);
      expect(code[24]).toBeCloseTo(Math.sin(0.5 * 2 * Math.PI), 6);
    });
  });
});

describe('cells', () => {
  it('have centers relative to the image without padding', async () => {
    // Two rows and three columns of positions, of which the second image fills one row and two columns.
    const padding = [0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1];
    const { out } = await evaluate((mask) => cellCenters(mask), [{ shape: [2, 2, 3], data: padding, dtype: 'bool' }]);
    expect(out!.shape).toEqual([2, 24, 2]);
    const at = (image: number, position: number, cell: number): number[] =>
      out!.data.slice(2 * (24 * image + 4 * position + cell)).slice(0, 2);
    const expectAt = (found: readonly number[], expected: readonly number[]): void =>
      found.forEach((value, index) => expect(value).toBeCloseTo(expected[index]!, 6));
    expectAt(at(0, 0, 0), [0.25 / 3, 0.25 / 2]);
    expectAt(at(0, 4, 1), [1.75 / 3, 1.25 / 2]);
    expectAt(at(0, 5, 2), [2.25 / 3, 1.75 / 2]);
    expectAt(at(1, 1, 3), [1.75 / 2, 0.75]);
  });

  it('have boxes around their centers', async () => {
    const { out } = await evaluate(
      (outputs, centers) => add(boxesAround(centers)(outputs), mul(sum(outputs), 0)),
      [
        { shape: [1, 1, 4], data: [0, Math.log(1 / 3), 0, Math.log(3)] },
        { shape: [1, 1, 2], data: [0.5, 0.5] },
      ],
    );
    [0, 0.25, 1, 1.25].forEach((value, index) => expect(out!.data[index]).toBeCloseTo(value, 6));
  });
});

import { afterAll, describe, expect, it } from 'vitest';
import { evaluate, noise, runtime } from '../../../test/support/op-check.ts';
import { definedTensors, input, makeProgram, type HostTensor, type Tensor } from '../../engine/graph/index.ts';
import { add, mul, sparseGradients, sum } from '../../engine/ops/index.ts';
import type { Session } from '../../engine/runtime/runtime.ts';
import { CONCEPTS } from '../../text/lexicon/concepts.ts';
import { parseModelConfig } from '../config.ts';
import { initialValue } from '../initial-weights.ts';
import { MdetrNetwork } from '../mdetr-network.ts';
import { imageEvidence, keptProposals, pairwiseIou } from './evidence.ts';
import { precomputedShapes } from './feature-shapes.ts';
import { ofNearestNoun } from './token-evidence.ts';

const sessions: Session[] = [];
afterAll(() => Promise.all(sessions.map((session) => session.dispose())));
const concept = (name: string): number => CONCEPTS.indexOf(name);

/** Boxes of two dogs, a near duplicate of the first, and a person, in a red and blue image. */
const BOXES = [
  [0.05, 0.3, 0.25, 0.7],
  [0.6, 0.2, 0.98, 0.9],
  [0.06, 0.3, 0.25, 0.7],
  [0.4, 0.4, 0.5, 0.6],
];
const SCORES: readonly (readonly [noun: string, score: number])[] = [
  ['dog', 0.8],
  ['dog', 0.7],
  ['dog', 0.6],
  ['person', 0.9],
];
const scoresOf = (): number[] =>
  SCORES.flatMap(([noun, score]) =>
    Array.from({ length: 80 }, (_, index) => (CONCEPTS[index] === noun ? score : 0.01)),
  );
/** (1, 3, 4, 4): the left half is red, the right half blue. */
const COLORS = [0.75, 0.12, 0.12].flatMap((red, channel) =>
  Array.from({ length: 16 }, (_, block) => (block % 4 < 2 ? red : [0.15, 0.3, 0.65][channel]!)),
);

const evidenceOf = async (
  part: 'absolute' | 'relative' | 'positions',
): Promise<(row: number, name: string) => number> => {
  const { out } = await evaluate(
    (map, scores, boxes, colors) =>
      add(
        imageEvidence({
          maps: [map],
          proposals: { scores: scores, boxes: boxes, features: boxes },
          colors: colors,
        })[part],
        mul(sum(map), 0),
      ),
    [
      { shape: [1, 1, 2, 2], data: [0, 0, 0, 0] },
      { shape: [1, 4, 80], data: scoresOf() },
      { shape: [1, 4, 4], data: BOXES.flat() },
      { shape: [1, 3, 4, 4], data: COLORS },
    ],
  );
  return (row, name) => out!.data[row * CONCEPTS.length + concept(name)]!;
};

describe('evidence', () => {
  it('of proposals alone: scores, coordinates, colors, sizes', async () => {
    const at = await evidenceOf('absolute');
    expect(at(0, 'dog')).toBeCloseTo(0.8, 5);
    expect(at(3, 'person')).toBeCloseTo(0.9, 5);
    expect(at(0, 'left')).toBeCloseTo(0.85, 5);
    expect(at(1, 'right')).toBeCloseTo(0.79, 5);
    expect(at(3, 'middle')).toBeCloseTo(0.9, 5);
    expect(at(0, 'red')).toBeGreaterThan(0.9);
    expect(at(1, 'blue')).toBeGreaterThan(0.9);
    expect(at(1, 'large')).toBeCloseTo(Math.sqrt(0.38 * 0.7), 4);
  });

  it('compares objects of one kind, and counts duplicates once', async () => {
    const at = await evidenceOf('relative');
    expect(at(0, 'left')).toBeGreaterThan(0.9);
    expect(at(1, 'left')).toBeLessThan(0.1);
    expect(at(1, 'right')).toBeGreaterThan(0.9);
    expect(at(1, 'large')).toBeGreaterThan(0.9);
    expect(at(0, 'small')).toBeGreaterThan(0.9);
    // There is no other person.
    expect(at(3, 'left')).toBeLessThan(0.1);
    expect(at(0, 'dog')).toBeGreaterThan(at(1, 'dog'));
  });

  it('of positions: nouns of the boxes that cover them, places and colors', async () => {
    const at = await evidenceOf('positions');
    expect(at(0, 'dog')).toBeGreaterThan(0.5);
    expect(at(0, 'left')).toBeCloseTo(0.75, 5);
    expect(at(3, 'bottom')).toBeCloseTo(0.75, 5);
    expect(at(0, 'red')).toBeGreaterThan(0.9);
    expect(at(1, 'blue')).toBeGreaterThan(0.9);
  });
});

describe('keptProposals', () => {
  it('keeps the best of what overlaps and is of one kind', async () => {
    const { out } = await evaluate(
      (quality, boxes, likeness) => keptProposals(quality, pairwiseIou(boxes), likeness),
      [
        { shape: [1, 4, 1], data: [0.8, 0.7, 0.6, 0.9] },
        { shape: [1, 4, 4], data: BOXES.flat() },
        { shape: [1, 4, 4], data: new Array<number>(16).fill(1) },
      ],
    );
    expect(out!.data).toEqual([1, 1, 0, 1]);
  });
});

describe('ofNearestNoun', () => {
  it('gives a token to the noun that is nearest, to both where two are equally near', async () => {
    // "dog left of person": nouns are tokens 0 and 3.
    const near = Array.from({ length: 16 }, (_, index) => 2 ** -Math.abs((index >> 2) - (index & 3)));
    const { out } = await evaluate(ofNearestNoun, [
      { shape: [4, 4], data: near },
      { shape: [1, 1, 4], data: [1, 0, 0, 1] },
    ]);
    // prettier-ignore
    expect(out!.data).toEqual([
      1, 0.5, 0, 0,
      0, 0, 0, 0,
      0, 0, 0, 0,
      0, 0, 0.5, 1,
    ]);
    const middle = await evaluate(ofNearestNoun, [
      { shape: [3, 3], data: [1, 0.5, 0.25, 0.5, 1, 0.5, 0.25, 0.5, 1] },
      { shape: [1, 1, 3], data: [1, 0, 1] },
    ]);
    expect(middle.out!.data).toEqual([1, 0.5, 0, 0, 0, 0, 0, 0.5, 1]);
  });
});

const config = parseModelConfig({
  backbone: 'nanodet',
  hidden_dim: 16,
  nheads: 2,
  enc_layers: 1,
  dec_layers: 1,
  dim_feedforward: 16,
  num_queries: 3,
  pre_norm: true,
  decoder_pre_norm: true,
  query_selection: 'proposals',
  box_refinement: true,
  contrastive_align_loss: false,
  position_temperature: 20,
  text_encoder: {
    hidden_size: 12,
    num_hidden_layers: 1,
    num_attention_heads: 2,
    intermediate_size: 16,
    vocab_size: 8,
    max_position_embeddings: 12,
  },
});
/** Token 4 is "dog", token 5 "left", token 6 "person". */
const LEXICON: Readonly<Record<number, string>> = { 4: 'dog', 5: 'left', 6: 'person' };

const trace = () => {
  const model = new MdetrNetwork(config);
  const shapes = precomputedShapes(model, 1, [2, 2]);
  const given = Object.fromEntries(Object.entries(shapes).map(([name, shape]) => [name, input(name, shape)]));
  const padding = input('padding', [1, 2, 2], 'bool');
  const detected = {
    maps: [given['map']!],
    colors: given['colors']!,
    proposals: {
      scores: given['proposal_scores']!,
      boxes: given['proposal_boxes']!,
      features: given['proposal_features']!,
    },
  };
  const captions = { inputIds: input('ids', [1, 4], 'int32'), attentionMask: input('mask', [1, 4], 'int32') };
  const { predictions } = model.forward(model.encodeMaps(detected.maps, padding, detected), captions);
  return { model, shapes, outputs: { pred_logits: predictions.pred_logits, pred_boxes: predictions.pred_boxes } };
};

const feedsFor = (shapes: ReturnType<typeof trace>['shapes'], ids: readonly number[]): Record<string, HostTensor> => {
  const count = (name: keyof typeof shapes): number => (shapes[name] as readonly number[]).reduce((a, b) => a * b, 1);
  const tensor = (name: keyof typeof shapes, data: Float32Array): HostTensor => ({
    dtype: 'float32',
    shape: shapes[name] as readonly number[],
    data,
  });
  const scores = new Float32Array(count('proposal_scores')).fill(0.01);
  scores.set(scoresOf());
  const boxes = new Float32Array(count('proposal_boxes'));
  boxes.set(BOXES.flat());
  const colors = new Float32Array(count('colors')).fill(0.5);
  return {
    map: tensor('map', Float32Array.from(noise(count('map'), 1))),
    colors: tensor('colors', colors),
    proposal_scores: tensor('proposal_scores', scores),
    proposal_boxes: tensor('proposal_boxes', boxes),
    proposal_features: tensor('proposal_features', Float32Array.from(noise(count('proposal_features'), 2))),
    padding: { dtype: 'bool', shape: [1, 2, 2], data: new Uint8Array(4) },
    ids: { dtype: 'int32', shape: [1, 4], data: Int32Array.from(ids) },
    mask: { dtype: 'int32', shape: [1, 4], data: Int32Array.of(1, 1, 1, 1) },
  };
};

const initial = (model: MdetrNetwork): Record<string, HostTensor> =>
  Object.fromEntries(
    model.registry.specs.map((spec, index) => {
      const value = initialValue(spec, 3);
      if (spec.name.endsWith('priming.lexicon')) {
        const table = value.data as Float32Array;
        for (const [token, name] of Object.entries(LEXICON)) table[Number(token) * 2] = concept(name) + 1;
      }
      // Where initial values are 0, no gradient would be seen for want of a product.
      if (/bbox_embed|priming.gate|qualifier_gate/.test(spec.name))
        return [spec.name, { ...value, data: Float32Array.from(noise(value.data.length, index), (x) => 0.2 * x) }];
      return [spec.name, value];
    }),
  ) as Record<string, HostTensor>;

const load = async (program: Parameters<typeof runtime.load>[0]): Promise<Session> => {
  const session = await runtime.load(program);
  sessions.push(session);
  return session;
};
const floats = ({ data }: HostTensor): Float32Array => data as Float32Array;

describe('a primed network', () => {
  it("starts its queries from the proposals of the caption's nouns, without duplicates", async () => {
    const { model, shapes, outputs } = trace();
    const session = await load(makeProgram('primed', outputs));
    const parameters = Object.fromEntries(model.registry.specs.map((spec) => [spec.name, initialValue(spec, 3)]));
    const weights = {
      ...initial(model),
      ...Object.fromEntries(Object.entries(parameters).filter(([name]) => name.includes('bbox_embed'))),
    };
    const found = await session.run({ ...weights, ...feedsFor(shapes, [0, 4, 7, 2]) });
    const boxes = floats(found['pred_boxes']!);
    // Refinement begins at no correction, so the boxes are the proposals': both dogs first, the better one before.
    expect(boxes[0]).toBeCloseTo(0.15, 3);
    expect(boxes[4]).toBeCloseTo(0.79, 3);
    const persons = await session.run({ ...weights, ...feedsFor(shapes, [0, 6, 7, 2]) });
    expect(floats(persons['pred_boxes']!)[0]).toBeCloseTo(0.45, 3);
  });

  it('lowers "no object" for the object that a qualifier fits', async () => {
    const { model, shapes, outputs } = trace();
    const session = await load(makeProgram('qualified', outputs));
    const logitsFor = async (ids: readonly number[]): Promise<number[]> => {
      const found = await session.run({ ...initial(model), ...feedsFor(shapes, ids) });
      return [0, 1].map((query) => floats(found['pred_logits']!)[query * 256 + 255]!);
    };
    const [plain, left] = [await logitsFor([0, 4, 7, 2]), await logitsFor([0, 4, 5, 2])];
    // The first dog is on the left, the second on the right.
    expect(left[0]! - plain[0]!).toBeLessThan(left[1]! - plain[1]! - 1);
  });

  it('has gradients that equal central differences', async () => {
    const { model, shapes, outputs } = trace();
    const specs = model.registry.specs.filter(({ kind, name }) => kind === 'parameter' && !name.startsWith('backbone'));
    const names = Object.keys(outputs) as (keyof typeof outputs)[];
    const found = sparseGradients(
      names.map((name) => ({ tensor: outputs[name], cotangent: input(`d_${name}`, outputs[name].shape) })),
      specs.map(({ tensor }) => tensor),
    );
    const gradients: Record<string, Tensor> = definedTensors(
      Object.fromEntries(specs.map(({ name }, index) => [`gradient of ${name}`, found[index]])),
    );
    expect(Object.keys(gradients).filter((name) => name.includes('priming')).length).toBeGreaterThan(10);
    const [forward, backward] = [
      await load(makeProgram('forward', outputs)),
      await load(makeProgram('backward', gradients)),
    ];
    const feeds = feedsFor(shapes, [0, 4, 5, 2]);
    const parameters = initial(model);
    const weights: Record<string, HostTensor> = Object.fromEntries(
      names.map((name, index): [string, HostTensor] => {
        const shape = outputs[name].shape as readonly number[];
        const data = Float32Array.from(
          noise(
            shape.reduce((a, b) => a * b, 1),
            70 + index,
          ),
        );
        return [name, { dtype: 'float32', shape, data }];
      }),
    );
    const cotangents = Object.fromEntries(names.map((name) => [`d_${name}`, weights[name]!]));
    const slopes = await backward.run({ ...parameters, ...feeds, ...cotangents });
    for (const seed of [1, 2]) {
      const directions = new Map(
        Object.keys(gradients).map((name, index) => {
          const parameter = name.slice('gradient of '.length);
          return [parameter, noise(parameters[parameter]!.data.length, 1000 * seed + index)];
        }),
      );
      const expected = [...directions].reduce(
        (total, [name, direction]) =>
          total + floats(slopes[`gradient of ${name}`]!).reduce((own, slope, i) => own + slope * direction[i]!, 0),
        0,
      );
      const totalAt = async (step: number): Promise<number> => {
        const moved: Record<string, HostTensor> = Object.fromEntries(
          [...directions].map(([name, direction]) => [
            name,
            {
              ...parameters[name]!,
              data: floats(parameters[name]!).map((x, i) => x + step * direction[i]!),
            } as HostTensor,
          ]),
        );
        const results = await forward.run({ ...parameters, ...moved, ...feeds });
        return names.reduce(
          (total, name) =>
            total + floats(results[name]!).reduce((own, x, i) => own + x * floats(weights[name]!)[i]!, 0),
          0,
        );
      };
      const differences = await Promise.all(
        [1e-3, 3e-4].map(async (step) => ((await totalAt(step)) - (await totalAt(-step))) / (2 * step)),
      );
      const nearest = Math.min(...differences.map((value) => Math.abs(value - expected)));
      expect(nearest).toBeLessThan(0.02 * Math.abs(expected) + 0.1);
    }
  });

  it('needs a detector as its backbone', () => {
    expect(() => new MdetrNetwork(parseModelConfig({ ...config, backbone: 'resnet18' }))).toThrow(
      /needs a backbone that is a detector/,
    );
  });
});

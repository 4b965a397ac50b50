import { afterAll, describe, expect, it } from 'vitest';
import { input, makeProgram, symbolicDim, type HostTensor, type Program } from '../engine/graph/index.ts';
import { noise, runtime } from '../../test/support/op-check.ts';
import { syntheticWeight } from '../../test/support/synthetic-weights.ts';
import type { Session } from '../engine/runtime/runtime.ts';
import { parseModelConfig } from './config.ts';
import { selectImages } from './image-features.ts';
import { MdetrNetwork } from './mdetr-network.ts';

const small = {
  small_backbone: { widths: [8, 16, 16, 32], groups: 4 },
  hidden_dim: 32,
  nheads: 4,
  enc_layers: 1,
  dec_layers: 2,
  dim_feedforward: 48,
  num_queries: 5,
  text_encoder: {
    hidden_size: 24,
    num_hidden_layers: 1,
    num_attention_heads: 2,
    intermediate_size: 32,
    vocab_size: 40,
    max_position_embeddings: 16,
  },
  do_qa: true,
  split_qa_heads: true,
  predict_final: true,
  mask_model: 'smallconv',
};

const sessions: Session[] = [];
afterAll(async () => {
  await Promise.all(sessions.map((session) => session.dispose()));
});

/** Loads a small model that returns all outputs for images and captions. */
const load = async (values: Record<string, unknown> = {}) => {
  const model = new MdetrNetwork(parseModelConfig({ ...small, ...values }));
  const [images, height, width, batch, length] = ['images', 'height', 'width', 'batch', 'tokens'].map(symbolicDim);
  const encoded = model.encodeImage(
    input('image', [images!, 3, height!, width!]),
    input('padding', [images!, height!, width!], 'bool'),
  );
  const features = selectImages(encoded, input('image_index', [batch!], 'int32'));
  const tokens = {
    inputIds: input('ids', [batch!, length!], 'int32'),
    attentionMask: input('mask', [batch!, length!], 'int32'),
  };
  const pass = model.forward(features, tokens, { layers: 'all' });
  const queries = input('queries', [symbolicDim('n'), 32]);
  const masks = model.segmentation?.forward(queries, input('sample', [queries.shape[0]!], 'int32'), {
    imageMemory: pass.encoded.imageMemory,
    src: features.src,
    padding: features.padding,
    pyramid: features.pyramid,
  });
  const program: Program = makeProgram('all', {
    ...pass.predictions,
    pred_masks: masks,
    hs: pass.hs.at(-1),
  });
  const session = await runtime.load(program);
  sessions.push(session);
  const parameters = Object.fromEntries(
    model.registry.specs.map(({ name, shape }) => [name, syntheticWeight(name, shape)]),
  );
  return (feeds: Record<string, HostTensor>) => session.run({ ...parameters, ...feeds });
};

const image = (seed: number, height: number, width: number): Float32Array =>
  Float32Array.from(noise(3 * height * width, seed));

/** Batch of images, padded at the right and bottom. */
const images = (
  parts: readonly { data: Float32Array; height: number; width: number }[],
  height: number,
  width: number,
): Record<string, HostTensor> => {
  const image = new Float32Array(parts.length * 3 * height * width);
  const padding = new Uint8Array(parts.length * height * width).fill(1);
  parts.forEach((part, b) => {
    for (let y = 0; y < part.height; y++)
      for (let x = 0; x < part.width; x++) {
        padding[(b * height + y) * width + x] = 0;
        for (let c = 0; c < 3; c++)
          image[((b * 3 + c) * height + y) * width + x] = part.data[(c * part.height + y) * part.width + x]!;
      }
  });
  return {
    image: { dtype: 'float32', shape: [parts.length, 3, height, width], data: image },
    padding: { dtype: 'bool', shape: [parts.length, height, width], data: padding },
  };
};

const captions = (rows: readonly (readonly number[])[], imageIndex: readonly number[]): Record<string, HostTensor> => {
  const length = Math.max(...rows.map((row) => row.length));
  const pad = (row: readonly number[], value: number) => [
    ...row,
    ...Array.from({ length: length - row.length }, () => value),
  ];
  return {
    ids: { dtype: 'int32', shape: [rows.length, length], data: Int32Array.from(rows.flatMap((row) => pad(row, 1))) },
    mask: {
      dtype: 'int32',
      shape: [rows.length, length],
      data: Int32Array.from(
        rows.flatMap((row) =>
          pad(
            row.map(() => 1),
            0,
          ),
        ),
      ),
    },
    image_index: { dtype: 'int32', shape: [imageIndex.length], data: Int32Array.from(imageIndex) },
  };
};

const noQueries: Record<string, HostTensor> = {
  queries: { dtype: 'float32', shape: [1, 32], data: new Float32Array(32) },
  sample: { dtype: 'int32', shape: [1], data: new Int32Array(1) },
};

const expectClose = (found: ArrayLike<number>, expected: ArrayLike<number>, tolerance = 2e-5): void => {
  expect(found.length).toBe(expected.length);
  for (let i = 0; i < expected.length; i++)
    expect(Math.abs(found[i]! - expected[i]!)).toBeLessThanOrEqual(tolerance * Math.max(1, Math.abs(expected[i]!)));
};

/** Row of an output (B, …), or of the last layer of one (L, B, …). */
const rowOf = (value: HostTensor, row: number, rows: number): ArrayLike<number> => {
  const size = value.data.length / rows;
  const numbers = Array.from(value.data as Float32Array);
  return value.shape.length === 4
    ? numbers
        .slice(numbers.length - (size * rows) / value.shape[0]! + (row * size) / value.shape[0]!)
        .slice(0, size / value.shape[0]!)
    : numbers.slice(row * size, (row + 1) * size);
};

describe('a batch', () => {
  it('has the results of single captions, independent of their padding', async () => {
    const run = await load();
    const part = { data: image(1, 64, 48), height: 64, width: 48 };
    const [first, second] = [
      [0, 7, 8, 2],
      [0, 9, 2],
    ];
    const together = await run({ ...images([part], 64, 48), ...captions([first, second], [0, 0]), ...noQueries });
    for (const [row, ids] of [first, second].entries()) {
      const alone = await run({ ...images([part], 64, 48), ...captions([ids], [0]), ...noQueries });
      for (const name of [
        'pred_logits',
        'pred_boxes',
        'pred_isfinal',
        'pred_answer_type',
        'pred_answer_reg',
        'proj_queries',
      ])
        expectClose(rowOf(together[name]!, row, 2), rowOf(alone[name]!, 0, 1));
    }
  });

  it('uses the right image for every caption', async () => {
    const run = await load();
    const parts = [1, 2].map((seed) => ({ data: image(seed, 64, 64), height: 64, width: 64 }));
    const ids = [0, 7, 8, 2];
    const together = await run({ ...images(parts, 64, 64), ...captions([ids, ids, ids], [1, 0, 1]), ...noQueries });
    const alone = await Promise.all(
      parts.map((part) => run({ ...images([part], 64, 64), ...captions([ids], [0]), ...noQueries })),
    );
    [1, 0, 1].forEach((image, row) =>
      expectClose(rowOf(together['pred_boxes']!, row, 3), rowOf(alone[image]!['pred_boxes']!, 0, 1)),
    );
    expect(Array.from(rowOf(together['pred_boxes']!, 0, 3))).not.toEqual(
      Array.from(rowOf(together['pred_boxes']!, 1, 3)),
    );
  });

  it('does not depend on image padding', async () => {
    const run = await load();
    const part = { data: image(3, 64, 64), height: 64, width: 64 };
    const other = { data: image(4, 64, 96), height: 64, width: 96 };
    const feeds = { ...captions([[0, 7, 2]], [0]), ...noQueries };
    const inBatch = (neighbor: typeof other) => run({ ...images([part, neighbor], 64, 96), ...feeds });
    const [one, two] = [await inBatch(other), await inBatch({ ...other, data: image(5, 64, 96) })];
    expectClose(rowOf(one['pred_boxes']!, 0, 1), rowOf(two['pred_boxes']!, 0, 1), 1e-6);
  });

  it('does not depend on the neighbors with selected queries', async () => {
    const run = await load({ query_selection: 'features', box_refinement: true, selection_suppression: 0.6 });
    const part = { data: image(3, 64, 64), height: 64, width: 64 };
    const other = { data: image(4, 64, 96), height: 64, width: 96 };
    const [short, long] = [
      [0, 7, 2],
      [0, 9, 5, 2],
    ] as const;
    const together = await run({ ...images([part, other], 64, 96), ...captions([short, long], [0, 1]), ...noQueries });
    const alone = await run({ ...images([part], 64, 96), ...captions([short], [0]), ...noQueries });
    for (const name of ['pred_logits', 'pred_boxes', 'pred_isfinal', 'pred_answer_reg'])
      expectClose(rowOf(together[name]!, 0, 2), rowOf(alone[name]!, 0, 1));
  });
});

describe('masks', () => {
  it('are equal in chunks of queries and all at once', async () => {
    const run = await load();
    const part = { data: image(6, 64, 96), height: 64, width: 96 };
    const feeds = { ...images([part], 64, 96), ...captions([[0, 7, 8, 2]], [0]) };
    const { hs } = await run({ ...feeds, ...noQueries });
    const queries = (from: number, to: number): Record<string, HostTensor> => ({
      queries: { dtype: 'float32', shape: [to - from, 32], data: (hs!.data as Float32Array).slice(from * 32, to * 32) },
      sample: { dtype: 'int32', shape: [to - from], data: new Int32Array(to - from) },
    });
    const all = (await run({ ...feeds, ...queries(0, 5) }))['pred_masks']!;
    expect(all.shape).toEqual([5, 32, 48]);
    const chunks = [await run({ ...feeds, ...queries(0, 2) }), await run({ ...feeds, ...queries(2, 5) })];
    expectClose(
      chunks.flatMap(({ pred_masks }) => Array.from(pred_masks!.data as Float32Array)),
      all.data as Float32Array,
      1e-5,
    );
  });
});

describe('captions', () => {
  const outputs = async (values: Record<string, unknown>, ids: readonly number[]) =>
    (await load(values))({
      ...images([{ data: image(7, 64, 96), height: 64, width: 96 }], 64, 96),
      ...captions([ids], [0]),
      queries: { dtype: 'float32', shape: [1, 32], data: Float32Array.from(noise(32, 8)) },
      sample: { dtype: 'int32', shape: [1], data: new Int32Array(1) },
    });
  const [one, other] = [
    [0, 7, 8, 2],
    [0, 9, 5, 2],
  ];
  const difference = (a: HostTensor, b: HostTensor): number =>
    Math.max(...Array.from(a.data as Float32Array, (value, i) => Math.abs(value - (b.data as Float32Array)[i]!)));

  // Masks of fixed queries show the encoded image.
  it('changes the encoded image', async () => {
    const [first, second] = [await outputs({}, one), await outputs({}, other)];
    expect(difference(first['pred_masks']!, second['pred_masks']!)).toBeGreaterThan(1e-4);
  });

  it('changes only the decoder without text_in_encoder', async () => {
    for (const values of [{}, { pass_pos_and_query: false }, { pre_norm: true }, { contrastive_loss: true }]) {
      const without = { ...values, text_in_encoder: false };
      const [first, second] = [await outputs(without, one), await outputs(without, other)];
      expect(difference(first['pred_masks']!, second['pred_masks']!)).toBe(0);
      expect(difference(first['pred_boxes']!, second['pred_boxes']!)).toBeGreaterThan(1e-4);
      expect(difference(first['proj_tokens']!, second['proj_tokens']!)).toBeGreaterThan(1e-3);
    }
  });
});

describe('variants that the official code does not support', () => {
  it.each([
    ['positions added to the input', { pass_pos_and_query: false }],
    ['pre-norm throughout', { pre_norm: true, decoder_pre_norm: true }],
    ['learned positions', { position_embedding: 'learned' }],
  ])('%s', async (_name, values) => {
    const run = await load(values);
    const results = await run({
      ...images([{ data: image(1, 64, 64), height: 64, width: 64 }], 64, 64),
      ...captions([[0, 7, 2]], [0]),
      ...noQueries,
    });
    expect((results['pred_boxes']!.data as Float32Array).every((value) => value > 0 && value < 1)).toBe(true);
    expect((results['pred_masks']!.data as Float32Array).every(Number.isFinite)).toBe(true);
  });
});

describe('configs', () => {
  it('accept official values, 1 for true and null for unset', () => {
    const config = parseModelConfig({
      split_qa_heads: 1,
      do_qa: 1,
      frozen_weights: null,
      mask_model: 'none',
      combine_datasets: ['clevr'],
      lr: 1e-4,
    });
    expect(config).toMatchObject({ split_qa_heads: true, do_qa: true, hidden_dim: 256, num_queries: 100 });
  });
  it.each([
    [{ hidden_dim: 'big' }, /"hidden_dim"/],
    [{ hidden_dim: 30 }, /not a multiple of nheads/],
    [{ mask_model: 'v2' }, /has no implementation/],
    [{ text_encoder_type: 'bert-base' }, /"bert-base" is unknown/],
    [{ do_qa: true, combine_datasets: ['clevr'] }, /set split_qa_heads/],
    [{ num_queries: 0 }, /"num_queries"/],
    [{ query_selection: 'best' }, /"query_selection"/],
    [{ selection_suppression: 0 }, /"selection_suppression"/],
    [{ box_refinement: true }, /set query_selection/],
    [{ query_selection: 'boxes', pass_pos_and_query: false }, /needs pass_pos_and_query/],
    [{ query_selection: 'boxes', text_in_encoder: false }, /needs words in the encoder/],
    [{ query_selection: 'features', no_detection: true }, /no_detection predicts none/],
  ])('reject %o, naming the key', (values, message) => {
    expect(() => parseModelConfig(values, 'x.json')).toThrow(message);
    expect(() => parseModelConfig(values, 'x.json')).toThrow(/^x\.json: /);
  });
});

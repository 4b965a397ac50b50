import { afterAll, describe, expect, it, vi } from 'vitest';
import { smallConfig } from '../../../test/support/small-run.ts';
import { Random } from '../../random/random.ts';
import type { HostTensor } from '../../engine/graph/index.ts';
import { NativeRuntime } from '../../engine/runtime/native/native-runtime.ts';
import { createRuntime } from '../../engine/runtime/create-runtime.ts';
import type { TrainConfig } from '../config/config.ts';
import { BackboneStep } from './backbone-step.ts';
import { BatchMaker } from '../data/batch-maker.ts';
import { singleProcess } from '../parallel/communicator.ts';
import { createTrainer, startingPoint, type StartingPoint } from '../run/run-start.ts';
import { TrainStep } from './train-step.ts';
import type { DifferentiableStep } from './differentiable-step.ts';
import type { TrainBatch } from '../data/train-batch.ts';
import { trainableBy } from './parameters.ts';

vi.setConfig({ testTimeout: 180_000 });

const runtime = await createRuntime({ threads: 1 });
const steps: DifferentiableStep[] = [];
afterAll(() => Promise.all(steps.map((step) => step.dispose())));

const batchOf = async (config: TrainConfig): Promise<TrainBatch> => {
  const maker = await BatchMaker.open({
    config,
    datasets: config.datasets,
    tokenizer: 'configs/scenes/plain-words',
    maxTokens: 38,
  });
  const { batch } = await maker.make({ rows: [1, 4], key: { seed: 2, epoch: 0, pairsBefore: 0 } });
  maker.close();
  return batch;
};

/** Parameters moved along a direction by a distance relative to their own magnitude. */
const moved = (
  parameters: ReadonlyMap<string, HostTensor>,
  direction: ReadonlyMap<string, Float32Array>,
  distance: number,
): Map<string, HostTensor> =>
  new Map(
    [...parameters].map(([name, value]) => {
      const own = direction.get(name);
      if (own === undefined) return [name, value];
      const data = (value.data as Float32Array).map((element, index) => element + distance * own[index]!);
      return [name, { ...value, data } as HostTensor];
    }),
  );

/** Large distances cross the kinks of ReLU and of the matching, small ones suffer from float32 rounding: one of them fits. */
const distances = [1e-4, 2e-5, 5e-4];

/** Compares the gradient with central differences along random directions. */
const compareDirections = async (
  step: DifferentiableStep,
  parameters: ReadonlyMap<string, HostTensor>,
  batch: TrainBatch,
  count: number,
): Promise<void> => {
  const random = Random.of(4, 'directions');
  const { gradients, release, total } = await step.run(batch, parameters, 3, 1);
  const kept = new Map([...gradients].map(([name, { data }]) => [name, (data as Float32Array).slice()]));
  release();
  expect(total).toBeGreaterThan(0);
  expect([...kept.keys()].sort()).toEqual([...step.trained].sort());
  const totalAt = async (values: ReadonlyMap<string, HostTensor>): Promise<number> => {
    const result = await step.run(batch, values, 3, 1);
    result.release();
    return result.total;
  };
  const pairs: { readonly expected: number; readonly found: number }[] = [];
  for (let k = 0; k < count; k++) {
    let found = 0;
    const direction = new Map<string, Float32Array>();
    for (const [name, gradient] of kept) {
      const data = parameters.get(name)!.data as Float32Array;
      const magnitude = Math.sqrt(data.reduce((sum, value) => sum + value * value, 0) / data.length) || 0.05;
      const own = data.map(() => (random.chance(0.5) ? magnitude : -magnitude));
      own.forEach((value, index) => (found += value * gradient[index]!));
      direction.set(name, own);
    }
    const differences: number[] = [];
    for (const distance of distances) {
      const ahead = await totalAt(moved(parameters, direction, distance));
      const behind = await totalAt(moved(parameters, direction, -distance));
      differences.push((ahead - behind) / (2 * distance));
      // Close enough on its own: the other distances could only be closer.
      if (Math.abs(differences.at(-1)! - found) <= 0.01 * Math.abs(differences.at(-1)!)) break;
    }
    const [nearest] = differences.sort((x, y) => Math.abs(x - found) - Math.abs(y - found));
    pairs.push({ expected: nearest!, found });
  }
  const scale = Math.sqrt(pairs.reduce((sum, { expected }) => sum + expected ** 2, 0) / pairs.length);
  expect(scale).toBeGreaterThan(0.1);
  const wrong = pairs.filter(
    ({ expected, found }) => !(Math.abs(expected - found) <= 0.02 * scale + 0.01 * Math.abs(expected)),
  );
  expect(wrong, `of ${JSON.stringify(pairs)}`).toEqual([]);
};

const stepOf = async (config: TrainConfig, { model, auxiliary }: StartingPoint): Promise<DifferentiableStep> => {
  const isTrainable = trainableBy(model, config);
  const step =
    config.objective === 'backbone'
      ? await BackboneStep.load(model, auxiliary!, runtime, isTrainable)
      : await TrainStep.load(model, config, runtime, { isTrainable, dropout: false, auxiliary });
  steps.push(step);
  return step;
};

const everything = {
  hidden_dim: 128,
  nheads: 8,
  mask_model: 'smallconv',
  predict_final: true,
  do_qa: true,
  split_qa_heads: true,
  texts_per_image: 2,
  texts: [{ caption: 1, question: 1 }],
};
const allAuxiliary = {
  nheads: 4,
  enc_layers: 3,
  encoder_auxiliary_loss: 1,
  backbone_auxiliary_loss: 1,
  answer_auxiliary_loss: 1,
  word_auxiliary_loss: 1,
  relation_auxiliary_loss: 1,
  do_qa: true,
  split_qa_heads: true,
  texts_per_image: 2,
  texts: [{ expression: 1, question: 1, expression_types: ['relation', 'superlative', 'same'] }],
  qa_dataset: 'clevr',
};

describe('gradients of the whole loss equal finite differences in random directions', () => {
  it.each([
    ['boxes, words, alignment, isfinal, questions and masks', 20, everything],
    ['all auxiliary losses', 8, allAuxiliary],
    ["the backbone's auxiliary loss alone", 8, { backbone_auxiliary_loss: 1, objective: 'backbone' }],
  ] as const)('%s', async (_, count, values) => {
    const config = smallConfig({ ...values });
    const start = await startingPoint(config, undefined, () => undefined);
    await compareDirections(await stepOf(config, start), start.parameters, await batchOf(config), count);
  });
});

describe('a batch that is computed in parts', () => {
  const two = new NativeRuntime({ threads: 2 });
  /** Runs a step of a network in so many parts. */
  const stepper = async (values: Readonly<Record<string, unknown>>) => {
    const config = smallConfig({ ...values });
    const { model, auxiliary, parameters } = await startingPoint(config, undefined, () => undefined);
    const batch = await batchOf(config);
    const isTrainable = trainableBy(model, config);
    return async (parts: number, native = two, dropout = false) => {
      const options = { isTrainable, dropout, auxiliary, parts, minTableElements: 1000 };
      const step = await TrainStep.load(model, config, native, options);
      steps.push(step);
      const { gradients, tables, total, terms, release } = await step.run(batch, parameters, 3, 1);
      const kept = new Map<string, Float32Array>();
      for (const [name, { data }] of gradients) kept.set(name, (data as Float32Array).slice());
      for (const [name, table] of tables) kept.set(name, table.values);
      release();
      expect(native.bytesInUse).toBe(0);
      return { total, terms, kept, indices: new Map([...tables].map(([name, table]) => [name, table.indices])) };
    };
  };
  type Found = Awaited<ReturnType<Awaited<ReturnType<typeof stepper>>>>;
  const expectEqual = (found: Found, expected: Found): void => {
    expect(found.total).toBeCloseTo(expected.total, 3);
    expect(Object.keys(found.terms)).toEqual(Object.keys(expected.terms));
    for (const [name, value] of Object.entries(expected.terms)) expect(found.terms[name], name).toBeCloseTo(value, 3);
    expect(found.indices).toEqual(expected.indices);
    expect([...found.kept.keys()]).toEqual([...expected.kept.keys()]);
    let largest = 0;
    for (const data of expected.kept.values()) for (const value of data) largest = Math.max(largest, Math.abs(value));
    for (const [name, data] of expected.kept)
      data.forEach((value, index) => {
        const difference = Math.abs(found.kept.get(name)![index]! - value);
        if (difference > 1e-5 * largest) expect.fail(`${name}[${index}] differs by ${difference} of ${largest}`);
      });
  };

  it.each([
    ['boxes, words, alignment, isfinal, questions and masks', everything],
    ['all auxiliary losses', allAuxiliary],
    ['selected queries', { num_queries: 6, query_selection: 'features', box_refinement: true }],
    [
      'attention to objects',
      { ...allAuxiliary, object_auxiliary_loss: 1, num_queries: 6, query_selection: 'features', box_refinement: true },
    ],
  ] as const)('gives the losses and gradients of a whole one: %s', async (_, values) => {
    const run = await stepper(values);
    const whole = await run(1);
    expect(whole.indices.size).toBeGreaterThan(0);
    expectEqual(await run(2), whole);
  });

  it('gives the same side by side and one after another, with dropout that has masks of its own in each part', async () => {
    const run = await stepper({ nheads: 4, word_auxiliary_loss: 1, dropout: 0.5 });
    const dropped = await run(2, two, true);
    expectEqual(await run(2, new NativeRuntime({ threads: 1, blocking: true }), true), dropped);
    const again = await run(2, two, true);
    for (const [name, { buffer, byteOffset, byteLength }] of dropped.kept) {
      const other = again.kept.get(name)!;
      const bytes = Buffer.from(other.buffer, other.byteOffset, other.byteLength);
      expect(bytes.equals(Buffer.from(buffer, byteOffset, byteLength)), name).toBe(true);
    }
    expect((await run(1, two, true)).total).not.toBeCloseTo(dropped.total, 3);
  });

  it('is chosen by a measurement, which changes nothing', async () => {
    const config = smallConfig({ nheads: 4 });
    const start = await startingPoint(config, undefined, () => undefined);
    const trainer = await createTrainer(config, start, new NativeRuntime({ threads: 2 }), 10, singleProcess);
    const before = new Map([...start.parameters].map(([name, { data }]) => [name, data.slice()]));
    const choice = await trainer.chooseParts(await batchOf(config));
    expect(trainer.parts).toBe(choice!.parts);
    expect([1, 2]).toContain(trainer.parts);
    expect(new Map([...trainer.parameters].map(([name, { data }]) => [name, data.slice()]))).toEqual(before);
    expect(trainer.steps).toBe(0);
    await trainer.dispose();
  });

  it('is not measured where runs wait for each other', async () => {
    const config = smallConfig({ nheads: 4 });
    const start = await startingPoint(config, undefined, () => undefined);
    const trainer = await createTrainer(config, start, runtime, 10, singleProcess);
    expect(await trainer.chooseParts(await batchOf(config))).toBeUndefined();
    expect(trainer.parts).toBe(1);
    await trainer.dispose();
  });
});

describe('a divided backward program', () => {
  it('gives the same gradients, and releases residuals before it ends', async () => {
    const config = smallConfig({ nheads: 4, word_auxiliary_loss: 1, backbone_auxiliary_loss: 1 });
    const { model, auxiliary, parameters } = await startingPoint(config, undefined, () => undefined);
    const batch = await batchOf(config);
    const native = new NativeRuntime({ threads: 1 });
    const run = async (minDividedElements: number) => {
      const options = { isTrainable: trainableBy(model, config), dropout: true, auxiliary, minDividedElements };
      const step = await TrainStep.load(model, config, native, options);
      steps.push(step);
      const bytes: number[] = [];
      const { gradients, release } = await step.run(batch, parameters, 3, 1, () => bytes.push(native.bytesInUse));
      const kept = new Map([...gradients].map(([name, { data }]) => [name, data.slice()]));
      release();
      return { kept, bytes };
    };
    const [whole, divided] = [await run(Infinity), await run(0)];
    expect(divided.kept).toEqual(whole.kept);
    // Called before the first piece and after each.
    expect([whole.bytes.length, divided.bytes.length]).toEqual([2, 4]);
    expect(divided.bytes.at(-1)).toBeLessThan(0.6 * whole.bytes.at(-1)!);
    expect(native.bytesInUse).toBe(0);
  });
});

describe('gradients of tables', () => {
  it('are the rows of the dense ones that the batch reads', async () => {
    const config = smallConfig({ nheads: 4 });
    const { model, auxiliary, parameters } = await startingPoint(config, undefined, () => undefined);
    const batch = await batchOf(config);
    const run = async (minTableElements: number) => {
      const options = { isTrainable: trainableBy(model, config), dropout: false, auxiliary, minTableElements };
      const step = await TrainStep.load(model, config, runtime, options);
      steps.push(step);
      const result = await step.run(batch, parameters, 3, 1);
      return { ...result, trained: [...step.trained].sort() };
    };
    const [dense, sparse] = [await run(Infinity), await run(0)];
    expect(sparse.trained).toEqual(dense.trained);
    const name = [...sparse.tables.keys()].find((key) => key.endsWith('word_embeddings.weight'))!;
    const { indices, values } = sparse.tables.get(name)!;
    const read = new Set(batch.inputs['input_ids']!.data as Int32Array);
    expect([...indices]).toEqual([...read].sort((a, b) => a - b));
    const columns = values.length / indices.length;
    const whole = new Float32Array(parameters.get(name)!.data.length);
    indices.forEach((index, k) => whole.set(values.subarray(k * columns, (k + 1) * columns), index * columns));
    expect(whole).toEqual(new Float32Array(dense.gradients.get(name)!.data as Float32Array));
    expect(sparse.gradients.has(name)).toBe(false);
    for (const result of [dense, sparse]) result.release();
  });
});

describe('what a config freezes', () => {
  it('is bit-identical after a step that trains only masks', async () => {
    const config = smallConfig({ hidden_dim: 128, nheads: 8, mask_model: 'smallconv', freeze_detector: true });
    const start = await startingPoint(config, undefined, () => undefined);
    const trainer = await createTrainer(config, start, runtime, 10, singleProcess);
    const before = new Map([...start.parameters].map(([name, { data }]) => [name, data.slice()]));
    const { terms } = await trainer.step(await batchOf(config));
    const changed = [...trainer.parameters].filter(([name, { data }]) =>
      data.some((value, k) => value !== before.get(name)![k]),
    );
    expect(terms['loss_mask']).toBeGreaterThan(0);
    expect(changed.length).toBeGreaterThan(5);
    expect(changed.map(([name]) => name).filter((name) => !/^(mask_head|bbox_attention)\./.test(name))).toEqual([]);
    await trainer.dispose();
  });
});

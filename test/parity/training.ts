import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { HostTensor } from '../../src/engine/graph/index.ts';
import { boxNormalizer, type AnswerLabels } from '../../src/losses/index.ts';
import { MdetrNetwork } from '../../src/models/index.ts';
import { createRuntime } from '../../src/engine/runtime/create-runtime.ts';
import { copyEntries, updateAverage } from '../../src/train/optimizer/ema.ts';
import { clipFactor, Optimizer } from '../../src/train/optimizer/optimizer.ts';
import { UpdatePool } from '../../src/train/optimizer/update-pool.ts';
import { ratesAt, type ScheduleConfig } from '../../src/train/config/schedule.ts';
import { TrainStep } from '../../src/train/step/train-step.ts';
import { type TrainBatch } from '../../src/train/data/train-batch.ts';
import { referenceConfig, referenceTargets, type ReferenceTarget } from '../support/reference-batch.ts';
import type { ReferenceCase } from '../support/reference-case.ts';
import { syntheticWeight } from '../support/synthetic-weights.ts';
import { Row, type Tolerance } from './comparison.ts';
import { batchOf } from './forward.ts';

/** Tolerances of training: losses relative, gradients relative with an absolute part near zero, parameters absolute. */
const TRAINING_TOLERANCES = {
  losses: { limit: 1e-4, kind: 'absolute' },
  gradients: { limit: 1, kind: 'absolute' },
  parameters: { limit: 1e-5, kind: 'absolute' },
  rates: { limit: 0, kind: 'absolute' },
  exact: { limit: 0, kind: 'count' },
} as const satisfies Record<string, Tolerance>;

interface GradientRecord {
  readonly requiresGrad: boolean;
  readonly grad?: null;
  readonly norm: number;
  readonly first8: readonly number[];
  readonly pos: readonly number[];
  readonly atPos: readonly number[];
  /** Norm of a float64 run; far below that of float32 when the true gradient is zero. */
  readonly normF64: number;
}

interface TrainingCase {
  readonly args: Readonly<Record<string, unknown>>;
  readonly targets: readonly ReferenceTarget[];
  readonly answers?: AnswerLabels | null;
  readonly losses: Readonly<Record<string, number>>;
  readonly total: number;
  readonly matches?: readonly (readonly (readonly [readonly number[], readonly number[]])[])[];
  readonly matcherOrder?: readonly string[];
}

const readJson = (reference: ReferenceCase, file: string): unknown =>
  JSON.parse(readFileSync(join(reference.dir, file), 'utf8'));

/** Step, batch and parameters of a case. Dropout is off, as in the reference. */
const prepare = async (
  reference: ReferenceCase,
  json: TrainingCase,
  gradients: Readonly<Record<string, GradientRecord>>,
) => {
  const config = referenceConfig(json.args);
  const model = new MdetrNetwork(config);
  const { image, padding, inputIds, attentionMask } = batchOf(reference);
  const size = image.shape[0]!;
  const targets = await referenceTargets(json.targets, config, reference, json.answers ?? undefined);
  const batch: TrainBatch = {
    inputs: {
      image,
      padding,
      input_ids: inputIds,
      attention_mask: attentionMask,
      image_index: { dtype: 'int32', shape: [size], data: Int32Array.from({ length: size }, (_, index) => index) },
    },
    targets,
    ids: json.targets.map((_, index) => `sample ${index}`),
  };
  const step = await TrainStep.load(model, config, await createRuntime({ threads: 1 }), {
    isTrainable: (name) => gradients[name]?.requiresGrad === true,
    dropout: false,
  });
  const parameters = new Map<string, HostTensor>(
    model.registry.specs.map(({ name, shape }) => [name, syntheticWeight(name, shape)]),
  );
  const numBoxes = boxNormalizer(targets.boxCounts.reduce((sum, count) => sum + count, 0));
  return { step, batch, parameters, numBoxes };
};

/** Difference in units of the tolerance `relative · |expected| + absolute`. */
const inTolerances = (found: number, expected: number, relative: number, absolute: number): number =>
  Math.abs(found - expected) / (relative * Math.abs(expected) + absolute);

export const isTrainingCase = (reference: ReferenceCase): boolean => {
  const json = reference.json as Partial<TrainingCase>;
  return json.losses !== undefined && reference.has('samples.tensors');
};

/** Losses, matching and gradients of one step. */
export const compareTraining = async (name: string, reference: ReferenceCase): Promise<Row> => {
  const row = new Row(name);
  const json = reference.json as unknown as TrainingCase;
  const records = readJson(reference, 'grads.json') as Record<string, GradientRecord>;
  const { step, batch, parameters, numBoxes } = await prepare(reference, json, records);
  try {
    const frozen = [...parameters]
      .filter(([key]) => records[key]?.requiresGrad !== true)
      .map(([key, value]) => [key, value.data.slice()] as const);
    const result = await step.run(batch, parameters, numBoxes, 0);
    const losses = row.in('losses', TRAINING_TOLERANCES.losses);
    for (const [term, expected] of Object.entries({ ...json.losses, total: json.total })) {
      const found = term === 'total' ? result.total : result.terms[term];
      losses.count++;
      losses.note(
        term,
        found === undefined ? Infinity : Math.abs(found - expected) / Math.max(Math.abs(expected), 1e-6),
      );
    }
    if (json.matches !== undefined && result.matches !== undefined) {
      const layers = result.matches.length;
      json.matcherOrder!.forEach((which, call) => {
        const layer = which === 'final' ? layers - 1 : Number(which.slice('aux'.length));
        const pairs = result.matches![layer]!.map((match) => [[...match.queries], [...match.targets]]);
        row.in('matching', TRAINING_TOLERANCES.exact).equal(which, pairs, json.matches![call]);
      });
    }
    compareGradients(row, records, result.gradients);
    for (const [key, before] of frozen)
      row.in('frozen', TRAINING_TOLERANCES.exact).equal(key, bytesOf(parameters.get(key)!.data), bytesOf(before));
    return row;
  } finally {
    await step.dispose();
  }
};

const bytesOf = (data: HostTensor['data']): string =>
  Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString('base64').slice(0, 4096);

/** Gradients whose true value is zero (key biases) contain only rounding noise; they only have to be small. */
const NOISE_NORM = 1e-5;

const compareGradients = (
  row: Row,
  records: Readonly<Record<string, GradientRecord>>,
  gradients: ReadonlyMap<string, HostTensor>,
): void => {
  const cell = row.in('gradients', TRAINING_TOLERANCES.gradients);
  for (const [key, record] of Object.entries(records)) {
    const found = gradients.get(key)?.data as Float32Array | undefined;
    if (record.grad === null) {
      // PyTorch's `grad is None`.
      row.in('no gradient', TRAINING_TOLERANCES.exact).equal(key, found === undefined, true);
      continue;
    }
    if (found === undefined) {
      // No loss reaches the parameter: the reference has exact zeros.
      cell.note(key, record.norm === 0 ? 0 : Infinity);
      continue;
    }
    const norm = Math.sqrt(found.reduce((sum, value) => sum + value * value, 0));
    cell.count += 1 + record.pos.length;
    if (record.normF64 < NOISE_NORM) {
      cell.note(`${key} (zero)`, norm / (100 * NOISE_NORM));
      continue;
    }
    cell.note(`|${key}|`, inTolerances(norm, record.norm, 1e-3, 1e-6));
    record.pos.forEach((place, k) =>
      cell.note(`${key}[${place}]`, inTolerances(found[place]!, record.atPos[k]!, 1e-3, 1e-6 + 1e-6 * record.norm)),
    );
  }
};

interface OptimizerCase extends TrainingCase {
  readonly schedule: ScheduleConfig['schedule'];
  readonly fraction_warmup_steps: number;
  readonly total_steps: number;
  readonly ema_decay: number;
  readonly optimizer: 'adam' | 'sgd';
  readonly steps: readonly {
    readonly lrUsed: readonly number[];
    readonly loss: number;
    readonly gradNormBeforeClip: number;
  }[];
}

interface ValueRecord {
  readonly pos: readonly number[];
  readonly atPos: readonly number[];
  readonly normF64?: number;
  readonly maxAbsDiffF64?: number;
}

export const isOptimizerCase = (reference: ReferenceCase): boolean =>
  Array.isArray((reference.json as { steps?: unknown }).steps);

/** Parameters and moving average after one and three steps. `tiny` has the batch and the targets. */
export const compareOptimizer = async (name: string, reference: ReferenceCase, tiny: ReferenceCase): Promise<Row> => {
  const row = new Row(name);
  const json = reference.json as unknown as OptimizerCase;
  const tinyJson = tiny.json as unknown as TrainingCase;
  const records = readJson(tiny, 'grads.json') as Record<string, GradientRecord>;
  const { step, batch, parameters, numBoxes } = await prepare(tiny, tinyJson, records);
  const schedule: ScheduleConfig = {
    schedule: json.schedule,
    lr: 1e-4,
    lr_backbone: 1e-5,
    text_encoder_lr: 5e-5,
    epochs: 1,
    lr_drop: 35,
    fraction_warmup_steps: json.fraction_warmup_steps,
  };
  const optimizer = new Optimizer({ optimizer: json.optimizer, weight_decay: 1e-4 });
  const average = copyEntries(parameters);
  let rates = { main: 1e-4, backbone: 1e-5, textEncoder: 5e-5, wordVectors: 0 };
  try {
    for (const [index, expected] of json.steps.entries()) {
      const result = await step.run(batch, parameters, numBoxes, index);
      row
        .in('losses', TRAINING_TOLERANCES.losses)
        .note(`step ${index}`, Math.abs(result.total - expected.loss) / expected.loss).count++;
      row
        .in('rates', { limit: 1e-15, kind: 'absolute' })
        .tensors(`step ${index}`, [rates.main, rates.backbone, rates.textEncoder], expected.lrUsed);
      const norm = await new UpdatePool(1).norm(
        Array.from(result.gradients.values(), ({ data }) => data as Float32Array),
      );
      row
        .in('norm', { limit: 1e-4, kind: 'absolute' })
        .note(`step ${index}`, Math.abs(norm - expected.gradNormBeforeClip) / norm).count++;
      optimizer.step(parameters, result.gradients, rates, clipFactor(norm, 0.1));
      rates = ratesAt(schedule, index, json.total_steps);
      updateAverage(average, parameters, json.ema_decay);
      for (const [what, values] of [
        ['params', parameters],
        ['ema', average],
      ] as const) {
        const file = `${what}_step${index + 1}.json`;
        let saved: Record<string, ValueRecord>;
        try {
          saved = readJson(reference, file) as Record<string, ValueRecord>;
        } catch {
          continue; // not every step was stored
        }
        compareValues(row, what, saved, values);
      }
    }
    return row;
  } finally {
    await step.dispose();
  }
};

const compareValues = (
  row: Row,
  what: string,
  saved: Readonly<Record<string, ValueRecord>>,
  values: ReadonlyMap<string, HostTensor>,
): void => {
  const cell = row.in(what, TRAINING_TOLERANCES.parameters);
  for (const [key, { pos, atPos, maxAbsDiffF64 }] of Object.entries(saved)) {
    const value = values.get(key);
    // A float64 run with another result means a true gradient of zero, where Adam follows rounding noise.
    if (value === undefined || (maxAbsDiffF64 ?? 0) > 1e-5) continue;
    pos.forEach((place, k) => {
      cell.count++;
      cell.note(`${key}[${place}]`, Math.abs(Number(value.data[place]) - atPos[k]!));
    });
  }
};

interface CurveRecord extends ScheduleConfig {
  readonly steps_per_epoch: number;
  readonly lrs: readonly (readonly number[])[];
}

/** Compares all learning-rate curves exactly. */
export const compareSchedules = (path: string): Row => {
  const row = new Row('learning rates');
  const curves = JSON.parse(readFileSync(path, 'utf8')) as CurveRecord[];
  for (const curve of curves) {
    const cell = row.in(curve.schedule, TRAINING_TOLERANCES.rates);
    curve.lrs.forEach((expected, step) => {
      const { main, backbone, textEncoder } = ratesAt(curve, step, curve.steps_per_epoch);
      cell.tensors(`step ${step}`, [main, backbone, textEncoder], expected);
    });
  }
  return row;
};

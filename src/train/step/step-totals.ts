import type { HostTensor } from '../../engine/graph/index.ts';
import { MdetrError } from '../../errors.ts';
import { sumRowGradients, type RowGradient } from '../optimizer/row-gradient.ts';
import type { TrainBatch } from '../data/train-batch.ts';
import type { StepResult, StepTiming } from './differentiable-step.ts';

/** The values of a gradient that may differ from 0. */
export const floatsOf = (gradient: HostTensor | RowGradient): Float32Array =>
  'data' in gradient ? (gradient.data as Float32Array) : gradient.values;

/** The error of a step whose gradients are not finite: names parameters and ids. */
export const notFinite = (gradients: ReadonlyMap<string, Float32Array>, batches: readonly TrainBatch[]): MdetrError => {
  const broken = [...gradients].filter(([, values]) => !values.every(Number.isFinite)).map(([name]) => name);
  const ids = batches.flatMap((batch) => batch.ids).join(', ');
  return new MdetrError(
    `the gradient is not finite (${broken.slice(0, 3).join(', ')}${broken.length > 3 ? `, and ${broken.length - 3} more` : ''}) for the batch ${ids}`,
  );
};

/** Sum of values. */
export const sumOf = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0);

/** Sums of terms by name. */
export const sumTerms = (all: readonly Readonly<Record<string, number>>[]): Record<string, number> =>
  Object.fromEntries(Object.keys(all[0]!).map((name) => [name, sumOf(all.map((terms) => terms[name]!))]));

/** Sums of the gradients of tables, by name. */
export const sumTables = (all: readonly ReadonlyMap<string, RowGradient>[]): ReadonlyMap<string, RowGradient> =>
  all.length === 1
    ? all[0]!
    : new Map([...all[0]!.keys()].map((name) => [name, sumRowGradients(all.map((tables) => tables.get(name)!))]));

/** Times of the parts of all batches. */
export const sumTimings = (results: readonly StepResult[]): StepTiming => {
  const total: StepTiming = { forwardMs: 0, matchingMs: 0, lossMs: 0, backwardMs: 0 };
  for (const { timing } of results)
    for (const name of Object.keys(total) as (keyof StepTiming)[]) total[name] += timing[name];
  return total;
};

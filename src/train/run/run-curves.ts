import { createReadStream, existsSync, readdirSync, statSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import * as z from 'zod';
import { currentValidationName } from '../../benchmarks/registry.ts';
import { MdetrError, messageOf } from '../../errors.ts';
import { readJsonFileSync } from '../../files/json/json-file.ts';
import { currentMetricName } from '../../names/current-names.ts';
import { STAGES_FILE } from './run-folder.ts';
import { LOG_FILE } from './run-log.ts';
import { requireInput } from '../../files/input-file.ts';

/** A logged quantity of a run over its steps. */
export interface Curve {
  /** `loss` and its terms by official name, `grad_norm`, `images_per_s`, learning rates, metrics of validation sets. */
  readonly name: string;
  /** Kind of values, which decides the panel. */
  readonly kind: 'loss' | 'term' | 'rate' | 'gradient' | 'speed' | 'validation';
  /** [step, value], in the order of the steps. */
  readonly points: (readonly [step: number, value: number])[];
}

/** The curves of a run. */
export interface RunCurves {
  /** Name of the run: that of its folder. */
  readonly name: string;
  /** Training stages in order, with the step at which each starts. */
  readonly stages: readonly { readonly name: string; readonly firstStep: number }[];
  /** Number of completed steps. */
  readonly steps: number;
  /** Curves by name. */
  readonly curves: ReadonlyMap<string, Curve>;
}

/** Unit of the horizontal axis. */
export type CurveAxis = 'steps' | 'pairs';

const number = z.number();
const trainSchema = z.object({
  kind: z.literal('train'),
  step: number,
  pairs: number,
  loss: number,
  terms: z.record(z.string(), number),
  lr: number,
  lr_backbone: number,
  text_encoder_lr: number,
  grad_norm: number,
  images_per_s: number,
});
const lineSchema = z.discriminatedUnion('kind', [
  trainSchema,
  z.object({ kind: z.literal('validation'), step: number, metrics: z.record(z.string(), number.nullable()) }),
  z.object({ kind: z.literal('skipped_row') }),
]);
type Line = z.infer<typeof lineSchema>;

/**
 * Reads the log of a run from its folder, or from the folder that contains those of its training stages, which are joined.
 *
 * @throws {MdetrError} if there is no log, or a line of it is damaged
 */
export const readRunCurves = async (folder: string, axis: CurveAxis = 'steps'): Promise<RunCurves> => {
  const stages = stageFoldersOf(folder);
  const curves = new Map<string, Curve>();
  const starts: { name: string; firstStep: number }[] = [];
  let offset = 0;
  for (const { name, path } of stages) {
    starts.push({ name, firstStep: offset });
    offset = await readStage(path, curves, axis, offset);
  }
  return { name: basename(resolve(folder)), stages: starts, steps: offset, curves };
};

/** Logs of the training stages, in the order in which they were trained. */
const stageFoldersOf = (folder: string): readonly { readonly name: string; readonly path: string }[] => {
  if (existsSync(join(folder, LOG_FILE))) return [{ name: '', path: join(folder, LOG_FILE) }];
  if (!existsSync(folder)) throw new MdetrError(`${folder}: there is no such folder`);
  if (!statSync(folder).isDirectory()) throw new MdetrError(`${folder}: is a file; name the folder of a run`);
  const found = namesOfStages(folder)
    .map((name) => ({ name, path: join(folder, name, LOG_FILE) }))
    .filter(({ path }) => existsSync(path));
  if (found.length === 0)
    throw new MdetrError(
      `${folder}: holds no ${LOG_FILE}, nor do its folders: name the folder of a run of mdetr train`,
    );
  return found;
};

/** Names of the stages in the order of `stages.json`, or else by the time of their last log entry. */
const namesOfStages = (folder: string): readonly string[] => {
  const list = join(folder, STAGES_FILE);
  if (existsSync(list))
    try {
      return z.array(z.string().regex(/^[\w.-]+$/)).parse(readJsonFileSync(list));
    } catch (error) {
      throw new MdetrError(`${list}: is not a list of training stages`, { cause: error });
    }
  const changed = (name: string): number => statSync(join(folder, name, LOG_FILE)).mtimeMs;
  return readdirSync(folder)
    .filter((name) => existsSync(join(folder, name, LOG_FILE)))
    .sort((a, b) => changed(a) - changed(b));
};

/** Appends the values of a log to the curves; returns the position at which the next stage starts. */
const readStage = async (
  path: string,
  curves: Map<string, Curve>,
  axis: CurveAxis,
  offset: number,
): Promise<number> => {
  let last = offset;
  let pairsPerStep = 0;
  const put = (name: string, kind: Curve['kind'], at: number, value: number | null): void => {
    if (value === null || !Number.isFinite(value)) return;
    const curve = curves.get(name) ?? { name, kind, points: [] };
    curves.set(name, curve);
    curve.points.push([at, value]);
  };
  let bad: MdetrError | undefined;
  let lineNumber = 0;
  await requireInput(path);
  for await (const text of createInterface({ input: createReadStream(path), crlfDelay: Infinity })) {
    lineNumber++;
    if (text.trim() === '') continue;
    // The last line may be incomplete while the run is going on.
    if (bad !== undefined) throw bad;
    let line: Line;
    try {
      line = lineSchema.parse(JSON.parse(text));
    } catch (error) {
      bad = new MdetrError(`${path}: line ${lineNumber} is not an entry of a training log`, {
        cause: messageOf(error),
      });
      continue;
    }
    if (line.kind === 'skipped_row') continue;
    if (line.kind === 'train') pairsPerStep = line.pairs / Math.max(1, line.step);
    const at = offset + (axis === 'steps' ? line.step : line.step * pairsPerStep);
    last = Math.max(last, at);
    if (line.kind === 'validation') {
      for (const [name, value] of Object.entries(line.metrics))
        put(currentValidationName(currentMetricName(name)), 'validation', at, value);
      continue;
    }
    put('loss', 'loss', at, line.loss);
    for (const [name, value] of Object.entries(line.terms)) put(currentMetricName(name), 'term', at, value);
    for (const name of ['lr', 'lr_backbone', 'text_encoder_lr'] as const) put(name, 'rate', at, line[name]);
    put('grad_norm', 'gradient', at, line.grad_norm);
    put('images_per_s', 'speed', at, line.images_per_s);
  }
  return last;
};

/**
 * Exponential moving average without bias at the start, as in TensorBoard.
 *
 * @param weight weight of the previous value, from 0 (no smoothing) to below 1
 */
export const smoothed = (points: Curve['points'], weight: number): Curve['points'] => {
  let [sum, norm] = [0, 0];
  return points.map(([step, value]) => {
    sum = sum * weight + value * (1 - weight);
    norm = norm * weight + (1 - weight);
    return [step, sum / norm] as const;
  });
};

/** At most `maxPoints` points: means of groups of neighbors. */
export const thinned = (points: Curve['points'], maxPoints: number): Curve['points'] => {
  if (points.length <= maxPoints) return points;
  const size = Math.ceil(points.length / maxPoints);
  const means: (readonly [number, number])[] = [];
  for (let start = 0; start < points.length; start += size) {
    const group = points.slice(start, start + size);
    const mean = (side: 0 | 1): number => group.reduce((sum, point) => sum + point[side], 0) / group.length;
    means.push([mean(0), mean(1)]);
  }
  return means;
};

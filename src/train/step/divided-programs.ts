import { float32Tensor, type HostTensor } from '../../engine/graph/index.ts';
import type { DeviceTensor, Feeds, Runtime, Session, Values } from '../../engine/runtime/runtime.ts';
import type { ValueScope } from '../../engine/runtime/value-scope.ts';
import { dropoutSeed } from '../../random/mixing.ts';
import { addTo } from '../optimizer/update-pass.ts';
import { sumRowGradients, type RowGradient } from '../optimizer/row-gradient.ts';
import { divideBatch, inputsOfPart, joinParts, partOf, type BatchPart } from './batch-parts.ts';
import { feedsFor, readScalar, readTensor } from './feeds.ts';
import { cotangentName, isCotangentName, rowIndicesName, valueName } from './names.ts';
import { backwardPieces, type StepPrograms } from './step-programs.ts';

/** The forward pass of a part of a batch. */
interface PartPass {
  readonly part: BatchPart;
  readonly inputs: Feeds;
  /** Outputs of the forward program, with residuals. */
  readonly outputs: Readonly<Record<string, DeviceTensor>>;
}

/** Values that the pieces of the backward program read for a part of a batch. */
interface PartSources extends Omit<PartPass, 'part'> {
  readonly cotangents: Values;
  /** Values of earlier pieces. */
  readonly handedOn: Record<string, DeviceTensor>;
}

/** The forward pass of a batch. */
export interface ForwardPass {
  readonly parts: readonly PartPass[];
  /** Outputs for the whole batch. */
  readonly outputs: Values;
  /** Sums over the batch of the scalars that auxiliary losses are made of, by name. */
  readonly scalars: ReadonlyMap<string, number>;
}

/** Gradients by parameter name. */
export interface BackwardPass {
  readonly gradients: ReadonlyMap<string, HostTensor>;
  readonly tables: ReadonlyMap<string, RowGradient>;
}

/**
 * Forward and backward program of a step, loaded. With several parts, each computes its images and their captions, on its share
 * of the cores: small networks use few cores better this way than by dividing every operation. Losses are computed once for the
 * whole batch, between the two, so that the results are those of one part up to the rounding of sums; only dropout drops
 * other values.
 */
export class DividedPrograms {
  private constructor(
    private readonly programs: StepPrograms,
    /** Outputs of the forward program that are read for the whole batch. */
    private readonly read: readonly string[],
    private readonly sessions: { readonly forward: Session; readonly backward: readonly Session[] },
    /** Number of parts. */
    readonly parts: number,
    private readonly isConcurrent: boolean,
  ) {}

  /**
   * @param read outputs of the forward program that are read for the whole batch
   * @param minDividedElements see `backwardPieces`
   */
  static async load(
    programs: StepPrograms,
    runtime: Runtime,
    read: readonly string[],
    { parts, minDividedElements }: { readonly parts: number; readonly minDividedElements?: number | undefined },
  ): Promise<DividedPrograms> {
    const rowIndices = new Set(programs.tables.map(rowIndicesName));
    const options = { concurrentRuns: parts };
    const forward = await runtime.load(programs.forward, { ...options, deviceOutputs: programs.residuals });
    const backward: Session[] = [];
    for (const piece of backwardPieces(programs, minDividedElements)) {
      const handedOn = Object.keys(piece.outputs).filter((name) => !isCotangentName(name) && !rowIndices.has(name));
      backward.push(await runtime.load(piece, { ...options, deviceOutputs: handedOn }));
    }
    return new DividedPrograms(programs, read, { forward, backward }, parts, (runtime.concurrency ?? 1) > 1);
  }

  /**
   * @param inputs inputs of the whole batch
   * @param scope keeps the outputs alive
   */
  async forward(
    inputs: Feeds,
    seed: number,
    parameters: ReadonlyMap<string, HostTensor>,
    scope: ValueScope,
  ): Promise<ForwardPass> {
    const { programs, sessions } = this;
    const { forward } = programs;
    const images = inputs['padding']!.shape[0]!;
    const parts = divideBatch(inputs['image_index']!.data as Int32Array, images, this.parts);
    const passes = await this.each(parts, async (part, index): Promise<PartPass> => {
      const own = parts.length === 1 ? inputs : inputsOfPart(forward.inputs, inputs, part);
      const dropout_seed = seedTensor(index === 0 ? seed : dropoutSeed(seed, 0, index));
      const partInputs = { ...own, dropout_seed };
      const outputs = scope.keep(await sessions.forward.compute(feedsFor(forward, [partInputs], parameters)));
      return { part, inputs: partInputs, outputs };
    });
    return { parts: passes, outputs: await this.joined(passes), scalars: await this.scalars(passes) };
  }

  /**
   * Computes the gradients of the whole batch.
   *
   * @param cotangents of the outputs for the whole batch, and of the sums of auxiliary losses
   * @param values keeps values between pieces alive; @param gradientValues keeps the gradients alive
   * @param onGradients is called with the gradients of each piece
   */
  async backward(
    { parts }: Pick<ForwardPass, 'parts'>,
    cotangents: Values,
    parameters: ReadonlyMap<string, HostTensor>,
    { values, gradientValues }: { readonly values: ValueScope; readonly gradientValues: ValueScope },
    onGradients: ((gradients: ReadonlyMap<string, HostTensor>) => void) | undefined,
  ): Promise<BackwardPass> {
    const { programs, sessions } = this;
    const gradients = new Map<string, HostTensor>();
    const tables = new Map<string, RowGradient>();
    const sources = await Promise.all(
      parts.map(async ({ part, inputs, outputs }): Promise<PartSources> => {
        const own = parts.length === 1 ? cotangents : await this.cotangentsOf(part, cotangents);
        return { inputs, outputs, cotangents: own, handedOn: {} };
      }),
    );
    for (const [index, session] of sessions.backward.entries()) {
      const results = await this.each(sources, async (source) => {
        const { inputs, outputs, handedOn } = source;
        const feeds = feedsFor(session.program, [inputs, outputs, source.cotangents, handedOn], parameters);
        const computed = await session.compute(feeds);
        for (const [name, value] of Object.entries(computed)) {
          (isCotangentName(name) ? gradientValues : values).keep({ value });
          if (!isCotangentName(name)) handedOn[name] = value;
        }
        return computed;
      });
      const ready = new Map<string, HostTensor>();
      for (const name of Object.keys(results[0]!).filter(isCotangentName)) {
        const found = await Promise.all(results.map((computed) => computed[name]!.read()));
        const indices = rowIndicesName(valueName(name));
        if (indices in results[0]!) {
          const rows = await Promise.all(
            results.map(async (computed, part) => ({
              // int64 where the network computes them
              indices: Int32Array.from<number | bigint>((await computed[indices]!.read()).data, Number),
              values: found[part]!.data as Float32Array,
            })),
          );
          tables.set(valueName(name), sumRowGradients(rows));
        } else ready.set(valueName(name), sumInPlace(found));
      }
      for (const [name, gradient] of ready) gradients.set(name, gradient);
      onGradients?.(ready);
      const later = sessions.backward.slice(index + 1);
      releaseUnread([...sources.flatMap(({ outputs, handedOn }) => [outputs, handedOn]), cotangents], later);
    }
    // In the order of the parameters, whatever the order of the pieces.
    const trained = programs.trained.filter((name) => !tables.has(name));
    return { gradients: new Map(trained.map((name) => [name, gradients.get(name)!])), tables };
  }

  async dispose(): Promise<void> {
    const { forward, backward } = this.sessions;
    await Promise.all([forward, ...backward].map((session) => session.dispose()));
  }

  /** Runs work for every part: side by side, where programs can run so. */
  private async each<In, Out>(list: readonly In[], work: (item: In, index: number) => Promise<Out>): Promise<Out[]> {
    if (!this.isConcurrent || list.length === 1) {
      const results: Out[] = [];
      for (const [index, item] of list.entries()) results.push(await work(item, index));
      return results;
    }
    // A failure is thrown when nothing runs any more: what the others read and write is released then.
    const ends = await Promise.allSettled(list.map(work));
    return ends.map((end) => {
      if (end.status === 'rejected') throw end.reason;
      return end.value;
    });
  }

  private async joined(passes: readonly PartPass[]): Promise<Values> {
    const [first] = passes;
    if (passes.length === 1) return first!.outputs;
    const shapes = this.programs.forward.outputs;
    return Object.fromEntries(
      await Promise.all(
        this.read.map(async (name) => {
          const values = await Promise.all(passes.map(({ outputs }) => outputs[name]!.read()));
          return [name, joinParts(values, shapes[name]!.shape)] as const;
        }),
      ),
    );
  }

  private async scalars(passes: readonly PartPass[]): Promise<ReadonlyMap<string, number>> {
    const names = this.programs.auxiliary.flatMap(({ means }) => means.flatMap(({ sum, count }) => [sum, count]));
    const sums = new Map<string, number>();
    for (const name of names)
      for (const { outputs } of passes) sums.set(name, (sums.get(name) ?? 0) + (await readScalar(outputs, name)));
    return sums;
  }

  private async cotangentsOf(part: BatchPart, cotangents: Values): Promise<Values> {
    const { outputs } = this.programs.forward;
    return Object.fromEntries(
      await Promise.all(
        Object.entries(cotangents).map(async ([name, value]) => {
          return [name, partOf(await readTensor(value), outputs[valueName(name)]!.shape, part)] as const;
        }),
      ),
    );
  }
}

/** The auxiliary losses of a batch. */
export const auxiliaryTerms = (
  { auxiliary }: StepPrograms,
  scalars: ReadonlyMap<string, number>,
): readonly { readonly name: string; readonly value: number; readonly weight: number }[] =>
  auxiliary.map(({ name, weight, means }) => ({
    name,
    weight,
    value: means.reduce((total, { sum, count }) => total + scalars.get(sum)! / Math.max(1, scalars.get(count)!), 0),
  }));

/** Names of the cotangents of the sums of auxiliary losses, and their values: weight ÷ count. */
export const auxiliaryCotangents = (
  { auxiliary }: StepPrograms,
  scalars: ReadonlyMap<string, number>,
): Record<string, HostTensor> =>
  Object.fromEntries(
    auxiliary.flatMap(({ weight, means }) =>
      means.map(({ sum, count }) => [
        cotangentName(sum),
        float32Tensor([], [weight / Math.max(1, scalars.get(count)!)]),
      ]),
    ),
  );

const seedTensor = (seed: number): HostTensor => ({ dtype: 'uint32', shape: [], data: Uint32Array.of(seed) });

/** Adds all values to the first, which is returned. */
const sumInPlace = ([first, ...others]: readonly HostTensor[]): HostTensor => {
  const sums = first!.data as Float32Array;
  for (const { data } of others) addTo(sums, data as Float32Array, 0, sums.length);
  return first!;
};

/** Releases values that no session reads. */
const releaseUnread = (values: readonly Values[], sessions: readonly Session[]): void => {
  const read = new Set(sessions.flatMap(({ program }) => program.inputs.map(({ name }) => name)));
  for (const [name, value] of values.flatMap((source) => Object.entries(source)))
    if (!read.has(name) && 'release' in value) value.release();
};

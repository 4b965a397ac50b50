import { type HostTensor, input, makeProgram, symbolicDim, type Program } from '../../engine/graph/index.ts';
import type { MdetrNetwork } from '../../models/index.ts';
import { add, div, maximum, scalar, sparseGradients } from '../../engine/ops/index.ts';
import type { Runtime, Session } from '../../engine/runtime/runtime.ts';
import { ValueScope } from '../../engine/runtime/value-scope.ts';
import type { AuxiliaryHeads } from '../auxiliary/auxiliary-heads.ts';
import { cotangentName } from './names.ts';
import { requireFinite, stopwatch, type DifferentiableStep, type StepResult } from './differentiable-step.ts';
import { feedsFor, readScalar } from './feeds.ts';
import { type TrainBatch } from '../data/train-batch.ts';

/** Trains the backbone by its auxiliary loss alone, as one program: there is nothing to match. */
export class BackboneStep implements DifferentiableStep {
  private constructor(
    private readonly session: Session,
    private readonly program: Program,
    private readonly losses: readonly { readonly name: string; readonly weight: number }[],
    readonly trained: readonly string[],
  ) {}

  static async load(
    model: MdetrNetwork,
    auxiliary: AuxiliaryHeads,
    runtime: Runtime,
    isTrainable: (name: string) => boolean,
  ): Promise<BackboneStep> {
    const [images, height, width] = ['images', 'height', 'width'].map(symbolicDim);
    const features = model.encodeImage(
      input('image', [images!, 3, height!, width!]),
      input('padding', [images!, height!, width!], 'bool'),
    );
    const losses = auxiliary.imageTerms({ stages: features.stages }).map(({ name, weight, means }) => ({
      name,
      weight,
      value: means.map(({ sum, count }) => div(sum, maximum(count, 1))).reduce(add),
    }));
    const specs = [...model.registry.specs, ...auxiliary.registry.specs].filter(
      ({ kind, name }) => kind === 'parameter' && isTrainable(name),
    );
    const found = sparseGradients(
      losses.map(({ value, weight }) => ({ tensor: value, cotangent: scalar(weight) })),
      specs.map(({ tensor }) => tensor),
    );
    const gradients = specs.flatMap(({ name }, index) => {
      const gradient = found[index];
      return gradient === undefined ? [] : [[name, gradient] as const];
    });
    const program = makeProgram('train-backbone', {
      ...Object.fromEntries(losses.map(({ name, value }) => [name, value])),
      ...Object.fromEntries(gradients.map(([name, gradient]) => [cotangentName(name), gradient])),
    });
    const session = await runtime.load(program);
    const trained = gradients.map(([name]) => name);
    return new BackboneStep(session, program, losses, trained);
  }

  async run(batch: TrainBatch, parameters: ReadonlyMap<string, HostTensor>): Promise<StepResult> {
    const clock = stopwatch();
    const results = await this.session.compute(feedsFor(this.program, [batch.inputs], parameters));
    const values = new ValueScope();
    values.keep(results);
    try {
      const terms: Record<string, number> = {};
      let total = 0;
      for (const { name, weight } of this.losses) {
        terms[name] = await readScalar(results, name);
        total += terms[name] * weight;
      }
      requireFinite(total, terms, batch.ids);
      const gradients = new Map<string, HostTensor>();
      for (const name of this.trained) gradients.set(name, await results[cotangentName(name)]!.read());
      const timing = { forwardMs: 0, matchingMs: 0, lossMs: 0, backwardMs: clock() };
      return {
        total,
        terms,
        gradients,
        tables: new Map(),
        matches: undefined,
        timing,
        release: () => values.release(),
      };
    } catch (error) {
      values.release();
      throw error;
    }
  }

  dispose(): Promise<void> {
    return this.session.dispose();
  }
}

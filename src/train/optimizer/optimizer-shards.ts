import type { HostTensor } from '../../engine/graph/index.ts';
import { allReduceTogether, type Communicator } from '../parallel/communicator.ts';
import type { Moments } from './optimizer.ts';

/**
 * Division of the optimizer's state among the processes of a run: each parameter has an owner, which alone keeps its moments
 * and updates it. The update of an element depends on nothing but that element, so that the results are those of processes
 * that each update everything.
 */
export class OptimizerShards {
  private readonly owners: ReadonlyMap<string, number>;

  /** @param trained names of the parameters that are updated, in the same order in all processes */
  constructor(
    private readonly parameters: ReadonlyMap<string, HostTensor>,
    trained: readonly string[],
    private readonly communicator: Communicator,
  ) {
    this.owners = ownersOf(trained, (name) => parameters.get(name)!.data.length, communicator.size);
  }

  /** Whether this process updates a parameter. The first one keeps the moments of parameters that are not trained any more. */
  owns(name: string): boolean {
    return (this.owners.get(name) ?? 0) === this.communicator.rank;
  }

  /** Sends the updated values of parameters from their owners to all. */
  async shareValues(names: readonly string[]): Promise<void> {
    const arrays = names.map((name) => this.parameters.get(name)!.data as Float32Array);
    // The owner's values are summed with zeros.
    names.forEach((name, index) => !this.owns(name) && arrays[index]!.fill(0));
    await allReduceTogether(this.communicator, arrays);
  }

  /**
   * Gathers the moments of parameters in the first process. Every process calls it; the others get none.
   *
   * @param own moments of the parameters that this process owns
   */
  async gatherMoments(names: readonly string[], own: ReadonlyMap<string, Moments>): Promise<Map<string, Moments>> {
    const { communicator, parameters } = this;
    const gathered = new Map<string, Moments>();
    for (const name of names) {
      const { length } = parameters.get(name)!.data;
      const mine = this.owns(name) ? own.get(name) : undefined;
      const facts = Float32Array.of(mine?.step ?? 0, mine?.second.length ?? 0);
      await communicator.allReduce(facts);
      const [step, secondLength] = [facts[0]!, facts[1]!];
      const copy = (values: Float32Array | undefined, size: number): Float32Array =>
        values === undefined ? new Float32Array(size) : Float32Array.from(values);
      const [first, second] = [copy(mine?.first, length), copy(mine?.second, secondLength)];
      await allReduceTogether(communicator, [first, second]);
      if (communicator.rank === 0 && step > 0) gathered.set(name, { step, first, second });
    }
    return gathered;
  }
}

/** Gives each parameter to the process that has the fewest elements so far, the largest parameters first. */
const ownersOf = (names: readonly string[], lengthOf: (name: string) => number, size: number): Map<string, number> => {
  const loads = Array.from({ length: size }, () => 0);
  const largestFirst = names.toSorted((a, b) => lengthOf(b) - lengthOf(a));
  return new Map(
    largestFirst.map((name) => {
      const owner = loads.indexOf(Math.min(...loads));
      loads[owner]! += lengthOf(name);
      return [name, owner];
    }),
  );
};

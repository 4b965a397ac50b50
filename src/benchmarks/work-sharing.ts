/** Division of the units of a validation among the processes that run it together. */
export interface WorkSharing {
  /**
   * Yields the results of units 0 to `count` - 1, in order; each is computed by one of the processes, and all get all results.
   * Every process calls it with the same count.
   *
   * @param compute computes a unit; its result can be cloned (`structuredClone`)
   * @param signal stops all processes between units, by its reason
   */
  each<Result>(
    count: number,
    compute: (index: number) => Promise<Result>,
    signal?: AbortSignal,
  ): AsyncGenerator<Result, void, undefined>;
}

/** All work is done by this process, and each result is yielded as soon as it is computed. */
export const unshared: WorkSharing = {
  async *each(count, compute, signal) {
    for (let index = 0; index < count; index++) {
      signal?.throwIfAborted();
      yield await compute(index);
    }
  },
};

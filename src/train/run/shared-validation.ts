import { deserialize, serialize } from 'node:v8';
import type { WorkSharing } from '../../benchmarks/work-sharing.ts';
import { gatherBytes, type Communicator } from '../parallel/communicator.ts';

/** Thrown by a shared validation in all processes, when one of them was told to stop. */
export class ValidationStopped extends Error {
  constructor(options?: ErrorOptions) {
    super('the validation was stopped', options);
  }
}

/** Units of every process between two exchanges of results: few exchanges, and little memory for what is exchanged. */
const UNITS_PER_ROUND = 4;

/** A validation that all processes of a training run compute together: process r takes every size-th unit, from unit r on. */
export class SharedValidation implements WorkSharing {
  constructor(private readonly communicator: Communicator) {}

  /** Whether this process is the one whose results count. */
  get isFirst(): boolean {
    return this.communicator.rank === 0;
  }

  /** Waits until all processes have come here. */
  barrier(): Promise<void> {
    return this.communicator.barrier();
  }

  async *each<Result>(
    count: number,
    compute: (index: number) => Promise<Result>,
    signal?: AbortSignal,
  ): AsyncGenerator<Result, void, undefined> {
    const { rank, size } = this.communicator;
    const perRound = size * UNITS_PER_ROUND;
    for (let start = 0; start < count; start += perRound) {
      const own: Result[] = [];
      const end = Math.min(count, start + perRound);
      for (let index = start + rank; index < end && signal?.aborted !== true; index += size)
        own.push(await compute(index));
      const isStopped = signal?.aborted === true;
      const gathered = await gatherBytes(this.communicator, serialize({ isStopped, results: own }));
      const parts = gathered.map((bytes) => deserialize(bytes) as { isStopped: boolean; results: Result[] });
      if (parts.some((part) => part.isStopped)) throw new ValidationStopped({ cause: signal?.reason });
      for (let index = start; index < end; index++)
        yield parts[index % size]!.results[Math.floor((index - start) / size)]!;
    }
  }
}

import type { DeviceTensor } from './runtime.ts';

/** Device values that are released together when a computation has finished or failed. */
export class ValueScope {
  private readonly values: DeviceTensor[] = [];

  /** Adds all values of a program's results to the scope, and returns the results. */
  keep<Results extends Readonly<Record<string, DeviceTensor | undefined>>>(results: Results): Results {
    this.values.push(...Object.values(results).filter((value) => value !== undefined));
    return results;
  }

  /** Releases all values. */
  release(): void {
    for (const value of this.values) value.release();
    this.values.length = 0;
  }
}

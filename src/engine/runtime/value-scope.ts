import type { DeviceTensor } from './runtime.ts';

/** Results that are released together, when the work that they serve is done or has failed. */
export class ValueScope {
  private readonly values: DeviceTensor[] = [];

  keep<Results extends Readonly<Record<string, DeviceTensor | undefined>>>(results: Results): Results {
    this.values.push(...Object.values(results).filter((value) => value !== undefined));
    return results;
  }

  release(): void {
    for (const value of this.values) value.release();
    this.values.length = 0;
  }
}

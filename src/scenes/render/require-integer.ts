import { UsageError } from '../../errors.ts';

/** Validates an integer setting. @throws {UsageError} naming the setting, its value and its range */
export const requireInteger = (name: string, value: number, low: number, high: number): void => {
  if (!Number.isInteger(value) || value < low || value > high) {
    throw new UsageError(`${name} is ${value}: must be an integer between ${low} and ${high}`);
  }
};

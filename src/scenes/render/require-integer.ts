import { UsageError } from '../../errors.ts';

/** @throws UsageError naming the setting, its value and its range. */
export const requireWhole = (name: string, value: number, low: number, high: number): void => {
  if (!Number.isInteger(value) || value < low || value > high) {
    throw new UsageError(`${name} is ${value}: it must be a whole number from ${low} to ${high}`);
  }
};

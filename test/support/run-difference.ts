import { join } from 'node:path';
import { readRunState } from '../../src/train/run/run-state.ts';

const parametersOf = async (folder: string): Promise<Map<string, Float32Array>> => {
  const { trainer } = await readRunState(join(folder, 'state.safetensors'));
  return new Map([...trainer.parameters].map(([name, { data }]) => [name, Float32Array.from(data, Number)]));
};

/** The largest difference between the parameters of two runs, by their folders. */
export const runDifference = async (first: string, second: string): Promise<number> => {
  const [one, other] = await Promise.all([parametersOf(first), parametersOf(second)]);
  let most = 0;
  for (const [name, values] of one)
    values.forEach((value, index) => (most = Math.max(most, Math.abs(value - other.get(name)![index]!))));
  return most;
};

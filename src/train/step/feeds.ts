import type { HostTensor } from '../../engine/graph/index.ts';
import { leafName, type NamedTensors, type Program } from '../../engine/graph/program.ts';
import type { DeviceTensor, FeedsOf, Values } from '../../engine/runtime/runtime.ts';
import { MdetrError } from '../../errors.ts';

/**
 * Picks the inputs and parameters of a program by name.
 *
 * @param sources values by name; the first that has a name wins
 * @throws {MdetrError} naming an input that no source has
 */
export const feedsFor = <Inputs extends NamedTensors, Outputs extends NamedTensors>(
  program: Program<Inputs, Outputs>,
  sources: readonly Values[],
  parameters: ReadonlyMap<string, HostTensor>,
): FeedsOf<Inputs> => {
  const feeds: Record<string, HostTensor | DeviceTensor> = {};
  for (const { name } of program.inputs) {
    const value = sources.find((source) => source[name] !== undefined)?.[name];
    if (value === undefined)
      throw new MdetrError(`training step "${program.name}" needs "${name}", which the data do not provide`);
    feeds[name] = value;
  }
  for (const tensor of program.parameters) {
    const name = leafName(tensor);
    const value = parameters.get(name);
    if (value === undefined) throw new Error(`internal: no value for parameter "${name}"`);
    feeds[name] = value;
  }
  return feeds as FeedsOf<Inputs>;
};

/** Reads a value, wherever it is. */
export const readTensor = (value: HostTensor | DeviceTensor): Promise<HostTensor> =>
  'data' in value ? Promise.resolve(value) : value.read();

/** Reads some results of a program. */
export const readTensors = async <Name extends string>(
  results: Readonly<Record<string, HostTensor | DeviceTensor>>,
  names: readonly Name[],
): Promise<Record<Name, HostTensor>> =>
  Object.fromEntries(
    await Promise.all(names.map(async (name) => [name, await readTensor(results[name]!)] as const)),
  ) as Record<Name, HostTensor>;

/** Reads a scalar result of a program. */
export const readScalar = async (
  results: Readonly<Record<string, DeviceTensor | undefined>>,
  name: string,
): Promise<number> => Number((await results[name]!.read()).data[0]);

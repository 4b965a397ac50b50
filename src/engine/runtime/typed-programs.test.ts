import { describe, expect, expectTypeOf, it } from 'vitest';
import { runtime } from '../../../test/support/op-check.ts';
import { defineProgram, float32Tensor, symbolicDim, tensorType, type HostTensor } from '../graph/index.ts';
import { add, mul } from '../ops/index.ts';
import type { DeviceTensor, FeedsOf, ProgramResults } from './runtime.ts';

const defineScaled = (hasBias: boolean) => {
  const n = symbolicDim('n');
  return defineProgram({
    name: 'scaled',
    inputs: { x: tensorType([n]), bias: hasBias ? tensorType([n]) : undefined },
    trace: ({ x, bias }) => {
      const doubled = mul(x, 2);
      return { doubled, biased: bias && add(doubled, bias) };
    },
  });
};
const x = float32Tensor([2], [1, 2]);

describe('a defined program', () => {
  it('runs on its inputs and omits undefined inputs and outputs', async () => {
    const plain = defineScaled(false);
    expect(plain.inputs.map(({ name }) => name)).toEqual(['x']);
    expect(Object.keys(plain.outputs)).toEqual(['doubled']);
    const session = await runtime.load(plain);
    const results = await session.run({ x, bias: undefined });
    expect([...results.doubled.data]).toEqual([2, 4]);
    expect(results.biased).toBeUndefined();
    await session.dispose();

    const biased = await runtime.load(defineScaled(true));
    expect([...(await biased.run({ x, bias: x })).biased!.data]).toEqual([3, 6]);
    await biased.dispose();
  });

  it('rejects wrong names at compile time', () => {
    type Program = ReturnType<typeof defineScaled>;
    type Inputs = Program extends { signature?: { inputs: infer I } } ? I : never;
    expectTypeOf<FeedsOf<Inputs>>().toEqualTypeOf<{
      readonly x: HostTensor | DeviceTensor;
      readonly bias: HostTensor | DeviceTensor | undefined;
    }>();
    expectTypeOf<ProgramResults<Program>>().toEqualTypeOf<{
      readonly doubled: HostTensor;
      readonly biased: HostTensor | undefined;
    }>();
    const misuse = async (): Promise<unknown> => {
      const session = await runtime.load(defineScaled(false));
      // @ts-expect-error: no input of this name
      await session.run({ y: x });
      // @ts-expect-error: no output of this name
      return (await session.compute({ x, bias: undefined })).tripled;
    };
    expectTypeOf(misuse).toBeFunction();
  });
});

import { expect, it } from 'vitest';
import { hasIntegerDotProducts } from './integer-dot-products.ts';

it('integer products are found by the flags of the CPU', () => {
  const flags = (text: string) => (): string => `processor : 0\nflags\t\t: fpu sse2 ${text} avx2\n`;
  for (const flag of ['avx512_vnni', 'avx_vnni', 'amx_int8'])
    expect(hasIntegerDotProducts('x64', flags(flag))).toBe(true);
  expect(hasIntegerDotProducts('x64', flags('avx512f'))).toBe(false);
  expect(hasIntegerDotProducts('arm64', flags(''))).toBe(true);
  expect(hasIntegerDotProducts('riscv64', flags('avx_vnni'))).toBe(false);
  const missing = (): string => {
    throw new Error('ENOENT');
  };
  expect(hasIntegerDotProducts('x64', missing)).toBe(false);
});

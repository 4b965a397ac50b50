/**
 * Optimizers of ONNX Runtime that make programs slower on the CPU, by the key of its session options that disables them. The kernel that
 * joins an addition and a layer norm takes 6 ns a value, the two kernels together 0.8 (docs/performance.md).
 */
export const SLOW_ON_CPU = ['optimization.disable_specified_optimizers', 'SkipLayerNormFusion'] as const;

/** The same as `extra` options of the bindings of JavaScript, where keys are nested. */
export const slowOnCpuExtra = (): Record<string, unknown> => {
  const [key, value] = SLOW_ON_CPU;
  return key.split('.').reduceRight<unknown>((inner, part) => ({ [part]: inner }), value) as Record<string, unknown>;
};

import { describe, expect, it } from 'vitest';
import { runtime } from '../../../test/support/op-check.ts';
import { SMALLEST_NETWORK } from '../../../test/support/small-detector.ts';
import { syntheticSource } from '../../../test/support/synthetic-weights.ts';
import { countOps, type HostTensor } from '../../engine/graph/index.ts';
import type { ActivationRanges } from '../../model-folder/quantization.ts';
import { MdetrNetwork, parseModelConfig } from '../../models/index.ts';
import { traceInference } from '../programs.ts';
import { traceWholeProgram } from '../whole-program.ts';
import { findQuantizationPoints } from './quantization-points.ts';
import { gridOf, quantizeProgram } from './quantize-program.ts';
import { rangeProgram } from './range-program.ts';

const config = parseModelConfig({
  ...SMALLEST_NETWORK,
  backbone: 'resnet18-half',
});
const model = new MdetrNetwork(config);
const weights = syntheticSource(model);
const { image } = traceInference(model);
const [height, width] = [64, 96];
const pixels: HostTensor = {
  dtype: 'float32',
  shape: [1, 3, height, width],
  data: Float32Array.from({ length: 3 * height * width }, (_, index) => Math.sin(index / 7)),
};

/** Ranges of the values of one image, 1.2 times as wide, so that x86 without VNNI is far from overflow as well. */
const measure = async (): Promise<ActivationRanges> => {
  const { program, names } = rangeProgram(image, 2);
  const session = await runtime.load(program, { weights });
  const values = await session.run({ image: pixels });
  await session.dispose();
  return Object.fromEntries(
    names.map((name, index) => {
      const [negated, high] = values[`extremes.${index}`]!.data as Float32Array;
      const sample = values[`sample.${index}`]!.data as Float32Array;
      expect(Math.max(...sample)).toBeLessThanOrEqual(high!);
      return [name, [-1.2 * negated!, 1.2 * high!] as const];
    }),
  );
};

const featuresOf = async (program: typeof image): Promise<Float32Array> => {
  const session = await runtime.load(program, { weights });
  const padding: HostTensor = { dtype: 'bool', shape: [1, height, width], data: new Uint8Array(height * width) };
  const { src } = await session.run({ image: pixels, padding });
  await session.dispose();
  return src.data as Float32Array;
};

describe('a quantized backbone', () => {
  it('has the same names in every program; the first layer and what is no backbone stay float', () => {
    const { convs, points } = findQuantizationPoints(image);
    expect(convs).toHaveLength(19); // 16 in blocks and 3 shortcuts
    expect([...points.keys()]).toContain('backbone.0.body.layer1.0.conv1.input');
    expect([...points.keys()].some((name) => name.startsWith('backbone.0.body.conv1'))).toBe(false);
    expect([...findQuantizationPoints(traceWholeProgram(model)).points.keys()]).toEqual([...points.keys()]);
  });

  it('computes with integers and gives nearly the features of floats', async () => {
    const ranges = await measure();
    const { program, convolutions } = quantizeProgram(image, ranges);
    expect(convolutions).toBe(19);
    expect(countOps(program).get('int8Conv')).toBe(19);
    expect(program.inputs.map(({ name }) => name)).toEqual(image.inputs.map(({ name }) => name));
    const [ours, exact] = [await featuresOf(program), await featuresOf(image)];
    const norm = (values: Float32Array): number => Math.hypot(...values);
    expect(norm(ours.map((value, index) => value - exact[index]!)) / norm(exact)).toBeLessThan(0.05);
    expect(ours).not.toEqual(exact);
  });

  it('stays float if it detects objects itself', () => {
    const detector = new MdetrNetwork(
      parseModelConfig({
        ...SMALLEST_NETWORK,
        backbone: 'nanodet',
        query_selection: 'proposals',
        box_refinement: true,
      }),
    );
    const program = traceInference(detector).image;
    expect(findQuantizationPoints(program)).toEqual({ convs: [], points: new Map() });
    expect(() => quantizeProgram(program, { 'backbone.0.body.stem.output': [0, 1] })).toThrow(
      'no layer of this network computes with integers; delete the file',
    );
  });

  it('leaves layers whose ranges are unknown as they are', async () => {
    const ranges = await measure();
    const some = Object.fromEntries(Object.entries(ranges).filter(([name]) => name.includes('layer1')));
    const partly = quantizeProgram(image, { ...some, 'elsewhere.output': [0, 1] });
    expect(partly.convolutions).toBe(4);
    expect(() => quantizeProgram(image, { 'elsewhere.output': [0, 1] })).toThrow('names none of the layers');
  });
});

describe('the grid of a range', () => {
  it('contains 0 and has 256 values', () => {
    expect(gridOf([0, 255])).toEqual({ scale: 1, zeroPoint: 0 });
    expect(gridOf([3, 255])).toEqual({ scale: 1, zeroPoint: 0 });
    expect(gridOf([-255, -3])).toEqual({ scale: 1, zeroPoint: 255 });
    expect(gridOf([-127, 128])).toEqual({ scale: 1, zeroPoint: 127 });
    expect(gridOf([0, 0]).scale).toBeGreaterThan(0);
  });
});

import { describe, expect, it } from 'vitest';
import { parseQuantization, quantizationJson, type Quantization } from './quantization.ts';

const quantization: Quantization = {
  method: 'mse',
  data: { name: 'photos', images: 3, sha256: 'a'.repeat(64) },
  ranges: { 'backbone.0.body.layer1.0.conv1.input': [0, 2.5], 'backbone.0.body.layer1.0.conv1.output': [-1, 1] },
};
const json = quantizationJson(quantization);

describe('quantization.json', () => {
  it('is read as it was written', () => {
    expect(parseQuantization(JSON.parse(JSON.stringify(json)), 'q.json')).toEqual(quantization);
  });

  const named = (name: string, range: unknown = [0, 1]): unknown => ({ ...json, ranges: { [name]: range } });
  it.each([
    ['null', null, 'has version null'],
    ['a list', [], 'has version null'],
    ['another version', { ...json, version: 2 }, 'has version 2, this program reads 1'],
    ['a long version', { ...json, version: 'x'.repeat(10_000) }, 'has version "xxx'],
    ['another format', { ...json, format: 'other' }, '"format"'],
    ['no ranges', { ...json, ranges: undefined }, '"ranges"'],
    ['an unknown method', { ...json, method: 'magic' }, '"method"'],
    ['a broken digest', { ...json, data: { ...quantization.data, sha256: '../x' } }, '"data.sha256"'],
    ['a null in a range (NaN in JSON)', named('a.output', [0, null]), '"ranges.a.output.1"'],
    ['three numbers', named('a.output', [0, 1, 2]), '"ranges.a.output"'],
    ['an infinite range', named('a.output', [0, 1e300]), '"ranges.a.output.1"'],
    ['a range upside down', named('a.output', [1, 0]), 'the range of "a.output" is from 1 to 0'],
    ['a name with a path', named('../a.output'), '"../a.output" is not the name'],
    ['a prototype as name', JSON.parse('{"__proto__.output":[0,1]}') as unknown, 'has version null'],
    ['a name without ending', named('a.weight'), '"a.weight" is not the name'],
    ['a long name', named(`${'a'.repeat(100_000)}.output`), 'is not the name'],
  ])('%s is refused, with the way out', (_, value, message) => {
    const read = (): unknown => parseQuantization(value, 'q.json');
    expect(read).toThrow(message);
    expect(read).toThrow(/^.{0,400}make it again with: mdetr quantize$/s);
  });
});

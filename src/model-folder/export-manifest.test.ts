import { describe, expect, it } from 'vitest';
import { choosePrecision, exportedFileName, exportManifest, parseExportManifest } from './export-manifest.ts';

const signature = { inputs: [{ name: 'x', dtype: 'float32' as const, shape: ['batch', 3] }], outputs: [] };
const valid = exportManifest({
  mdetr: '0.1.0',
  layout: 'single',
  opset: 20,
  programs: { model: signature },
  precisions: { float32: { model: { file: 'model.onnx', data: 'model.onnx_data' } } },
  files: { 'model.onnx': { bytes: 1, sha256: 'a'.repeat(64) } },
});

describe('the manifest of an exported folder', () => {
  it('is read as it was written', () => {
    expect(parseExportManifest(JSON.parse(JSON.stringify(valid)), 'export.json')).toEqual(valid);
  });

  const hostile: readonly (readonly [string, unknown, RegExp])[] = [
    ['no object', [], /^export.json: /],
    ['another format', { ...valid, format: 'other' }, /"format"/],
    ['a newer version', { ...valid, version: 2 }, /newer version of mdetr.*update/],
    ['an unknown layout', { ...valid, layout: 'tree' }, /"layout"/],
    ['a path outside', { ...valid, precisions: { float32: { model: { file: '../model.onnx' } } } }, /name of a file/],
    ['an absolute path', { ...valid, precisions: { float32: { model: { file: '/etc/passwd' } } } }, /name of a file/],
    ['a hidden path', { ...valid, files: { '.bashrc': { bytes: 1, sha256: 'a'.repeat(64) } } }, /"files/],
    ['an unknown precision', { ...valid, precisions: { int4: {} } }, /"precisions/],
    ['no precision', { ...valid, precisions: {} }, /"precisions" is empty/],
    ['a program without files', { ...valid, precisions: { float32: {} } }, /no program "model"/],
    ['a program without signature', { ...valid, programs: {} }, /no program "model"/],
    ['a bad digest', { ...valid, files: { 'model.onnx': { bytes: 1, sha256: 'x' } } }, /sha256/],
    [
      'a bad size',
      { ...valid, programs: { model: { inputs: [{ name: 'x', dtype: 'float32', shape: [-1] }], outputs: [] } } },
      /shape/,
    ],
  ];
  it.each(hostile)('is refused with %s', (_what, json, message) => {
    expect(() => parseExportManifest(json, 'export.json')).toThrow(message);
  });

  it('selects the most exact precision, or the one that is asked for', () => {
    const files = valid.precisions.float32!;
    const both = { ...valid, precisions: { int8: files, float16: files } };
    expect(choosePrecision(both, undefined, 'folder').precision).toBe('float16');
    expect(choosePrecision(both, 'int8', 'folder').precision).toBe('int8');
    expect(() => choosePrecision(both, 'float32', 'folder')).toThrow(
      /exported as float16 and int8, not float32.*--dtype float32/,
    );
  });

  it('names files as the hub does', () => {
    expect(exportedFileName('hub', 'model', 'int8')).toBe('onnx/model_quantized.onnx');
    expect(exportedFileName('parts', 'text', 'float16')).toBe('text_fp16.onnx');
  });
});

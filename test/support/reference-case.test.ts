import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { hasCase, loadCase } from './reference-case.ts';

describe('loadCase', () => {
  let dir = '';
  beforeAll(() => {
    dir = mkdtempSync(join(tmpdir(), 'mdetr-case-'));
    const bytes = Buffer.alloc(40);
    bytes.writeFloatLE(1.5, 0);
    bytes.writeFloatLE(-2, 4);
    bytes.writeBigInt64LE(-7n, 8);
    bytes.writeInt32LE(50264, 16);
    bytes[24] = 1;
    writeFileSync(join(dir, 'data.bin'), bytes);
    const entry = { file: 'data.bin' };
    writeFileSync(
      join(dir, 'manifest.json'),
      JSON.stringify({
        tensors: [
          { ...entry, name: 'a', dtype: 'f32', shape: [2, 1], byteOffset: 0, byteLength: 8, maxAbs: 2 },
          { ...entry, name: 'b', dtype: 'i64', shape: [1], byteOffset: 8, byteLength: 8 },
          { ...entry, name: 'c', dtype: 'i32', shape: [], byteOffset: 16, byteLength: 4 },
          { ...entry, name: 'd', dtype: 'u8', shape: [2], byteOffset: 24, byteLength: 2 },
          { ...entry, name: 'none', dtype: 'f32', shape: [0, 4], byteOffset: 32, byteLength: 0 },
          { ...entry, name: 'past the end', dtype: 'f32', shape: [4], byteOffset: 32, byteLength: 16 },
        ],
      }),
    );
    writeFileSync(join(dir, 'case.json'), JSON.stringify({ captions: ['a dog'] }));
  });
  afterAll(() => rmSync(dir, { recursive: true }));

  it('reads every type, the shape and case.json', () => {
    const reference = loadCase(dir);
    expect(reference.tensor('a')).toMatchObject({ dtype: 'f32', shape: [2, 1], maxAbs: 2 });
    expect([...reference.f32('a')]).toEqual([1.5, -2]);
    expect([...reference.typed('b', 'i64').data]).toEqual([-7n]);
    expect([...reference.i32('c')]).toEqual([50264]);
    expect([...reference.u8('d')]).toEqual([1, 0]);
    expect([...reference.f32('none')]).toEqual([]);
    expect(reference.json).toEqual({ captions: ['a dog'] });
  });

  it('says what is wrong', () => {
    const reference = loadCase(dir);
    expect(() => reference.tensor('x')).toThrow('no tensor x. It has: a, b');
    expect(() => reference.f32('c')).toThrow('c is i32, not f32');
    expect(() => reference.tensor('past the end')).toThrow('32+16 of 40');
    expect(() => loadCase('no-such-case')).toThrow('No case no-such-case');
  });

  it.skipIf(!hasCase('tiny'))('reads the case tiny (needs ../shared/reference or its copy)', () => {
    const tiny = loadCase('tiny');
    expect(tiny.tensor('input_ids')).toMatchObject({ dtype: 'i32', shape: [2, 14] });
    expect([...tiny.i32('input_ids').slice(0, 3)]).toEqual([0, 102, 6219]);
    expect(tiny.f32('pred_boxes')).toHaveLength(2 * 12 * 4);
  });
});

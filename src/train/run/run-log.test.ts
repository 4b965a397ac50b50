import { appendFileSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { writeSafetensors } from '../../checkpoints/index.ts';
import { float32Tensor } from '../../engine/graph/index.ts';
import { AppendFile } from '../../files/append-file.ts';
import { crc32c, eventFileStart, scalarsEvent, completeRecordBytes } from './records/event-file.ts';
import { readRunFacts, readRunState, sourceOf, writeRunState, type RunState } from './run-state.ts';

const folder = mkdtempSync(join(tmpdir(), 'mdetr-records-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('the state of a run', () => {
  const tensor = float32Tensor([2, 2], [1, -2, 3.5, 1e-30]);
  const state: RunState = {
    trainer: {
      step: 7,
      parameters: new Map([
        ['a.weight', tensor],
        ['position_ids', { dtype: 'int64', shape: [2], data: BigInt64Array.of(0n, 1n) }],
      ]),
      average: new Map([['a.weight', float32Tensor([2, 2], [4, 3, 2, 1])]]),
      moments: new Map([['a.weight', { step: 7, first: Float32Array.of(1, 2, 3, 4), second: Float32Array.of(5, 6, 7, 8) }]]),
    },
    position: { epoch: 1, batch: 2, logBytes: 3, eventBytes: 4, seconds: 5.5, skippedRows: [6], isDone: false, best: { metric: 0.5, step: 3 } },
    config: { lr: 1 },
  }; // prettier-ignore
  const path = join(folder, 'state.safetensors');

  it('comes back as it was', async () => {
    await writeRunState(path, state);
    expect(await readRunState(path)).toEqual(state);
    expect(await readRunFacts(path)).toMatchObject({ step: 7, position: state.position });
    expect(await readRunFacts(join(folder, 'none'))).toBeUndefined();
  });

  it('is refused at any length but its own', async () => {
    await writeRunState(path, state);
    const whole = readFileSync(path);
    for (const length of [0, 4, 8, 100, whole.length - 1]) {
      writeFileSync(path, whole.subarray(0, length));
      await expect(readRunState(path), `${length} bytes`).rejects.toThrow(
        /state\.safetensors: damaged safetensors file/,
      );
    }
    appendFileSync(path, whole);
    await expect(readRunState(path)).rejects.toThrow(/damaged/);
  });

  it.each([
    [{}, /is not a training state; train into a new folder/],
    [{ format: 'mdetr-training-state-x', state: '{}' }, /is not a training state/],
    [
      { format: 'mdetr-training-state-9', state: '{}' },
      /state\.safetensors: has version 9; this release reads training states up to version 1\. Update mdetr/,
    ],
    [{ format: 'mdetr-training-state-1' }, /its "state" is not JSON: the file is damaged/],
    [{ format: 'mdetr-training-state-1', state: '{"step":' }, /its "state" is not JSON/],
    [{ format: 'mdetr-training-state-1', state: '[]' }, /state\. .*expected object/],
    [{ format: 'mdetr-training-state-1', state: facts({ step: -1 }) }, /state\.step /],
    [{ format: 'mdetr-training-state-1', state: facts({ position: { epoch: 'x' } }) }, /state\.position\.epoch /],
    [
      { format: 'mdetr-training-state-1', state: facts({ moments: { b: 1 } }) },
      /moments of "b", which is not a parameter/,
    ],
    [{ format: 'mdetr-training-state-1', state: facts({ moments: { a: 1 } }) }, /"first\.a" is missing/],
    [
      { format: 'mdetr-training-state-1', state: facts({ moments: { c: 1 } }) },
      /the moments of "c" differ from it in size/,
    ],
  ])('%j is refused', async (metadata, message) => {
    const sources = [
      sourceOf('model.a', tensor),
      sourceOf('model.c', tensor),
      sourceOf('first.c', float32Tensor([3], [1, 2, 3])),
      sourceOf('second.c', tensor),
    ];
    await writeSafetensors(path, sources, metadata);
    await expect(readRunState(path)).rejects.toThrow(message);
  });
});

function facts(more: object): string {
  const position = { epoch: 0, batch: 0, logBytes: 0, eventBytes: 0, seconds: 0, skippedRows: [], isDone: false };
  return JSON.stringify({ step: 1, moments: {}, position, config: {}, ...more });
}

describe('a file that is appended to', () => {
  it('is cut back to what is kept, and grows from there', () => {
    const path = join(folder, 'lines');
    writeFileSync(path, 'one\ntwo\nthree');
    const file = new AppendFile(path, 4);
    file.append('2\n');
    expect({ length: file.length, isShort: file.isShort }).toEqual({ length: 6, isShort: false });
    file.flush();
    file.close();
    expect(readFileSync(path, 'utf8')).toBe('one\n2\n');
  });

  it('keeps the whole part of a file that is shorter than it should be', () => {
    const path = join(folder, 'short');
    writeFileSync(path, 'one\ntw');
    const lines = (bytes: Uint8Array): number => bytes.lastIndexOf(10) + 1;
    const file = new AppendFile(path, 100, lines);
    expect({ length: file.length, isShort: file.isShort }).toEqual({ length: 4, isShort: true });
    file.close();
    expect(readFileSync(path, 'utf8')).toBe('one\n');
    const fresh = new AppendFile(join(folder, 'new'), 0);
    expect(fresh.length).toBe(0);
    fresh.close();
  });
});

describe('event files for TensorBoard', () => {
  /** Data of records of a TFRecord file whose lengths and CRCs are right. */
  const recordsOf = (bytes: Buffer): Buffer[] => {
    const records: Buffer[] = [];
    const unmask = (value: number): number => {
      const rotated = (value - 0xa282ead8) >>> 0;
      return ((rotated >>> 17) | (rotated << 15)) >>> 0;
    };
    for (let at = 0; at < bytes.length;) {
      const length = Number(bytes.readBigUInt64LE(at));
      expect(unmask(bytes.readUInt32LE(at + 8))).toBe(crc32c(bytes.subarray(at, at + 8)));
      const data = bytes.subarray(at + 12, at + 12 + length);
      expect(unmask(bytes.readUInt32LE(at + 12 + length))).toBe(crc32c(data));
      records.push(data);
      at += 16 + length;
    }
    return records;
  };

  it('have the CRC-32C of the standard', () => {
    expect(crc32c(Buffer.from('123456789'))).toBe(0xe3069283);
    expect(crc32c(new Uint8Array(32))).toBe(0x8a9136aa);
  });

  it('begin with the version, and hold scalars by step', () => {
    const file = Buffer.concat([eventFileStart(1.5), scalarsEvent(2.5, 300, { loss: 0.25, 'train/é': -1 })]);
    const [start, scalars] = recordsOf(file);
    // 9: field 1, a double; 26: field 3, a text; 16: field 2, a number; 42: field 5, a message.
    expect(start![0]).toBe(9);
    expect(start!.readDoubleLE(1)).toBe(1.5);
    expect([...start!.subarray(9, 11)]).toEqual([26, 13]);
    expect(start!.subarray(11).toString()).toBe('brain.Event:2');
    expect(scalars!.readDoubleLE(1)).toBe(2.5);
    expect([...scalars!.subarray(9, 12)]).toEqual([16, 0xac, 2]);
    const summary = scalars!.subarray(14);
    expect(scalars![12]).toBe(42);
    expect(summary.subarray(0, 8)).toEqual(Buffer.from([10, 11, 10, 4, ...Buffer.from('loss')]));
    expect(summary[8]).toBe(21);
    expect(summary.readFloatLE(9)).toBe(0.25);
    expect(summary.toString('utf8')).toContain('train/é');
  });

  it('are cut to whole records', () => {
    const [start, more] = [eventFileStart(1), scalarsEvent(2, 3, { a: 1 })];
    const file = Buffer.concat([start, more]);
    expect(completeRecordBytes(file)).toBe(file.length);
    for (const cut of [1, 5, more.length - 1])
      expect(completeRecordBytes(file.subarray(0, file.length - cut))).toBe(start.length);
    const spoiled = Buffer.from(file);
    spoiled[start.length + 14]! ^= 1;
    expect(completeRecordBytes(spoiled)).toBe(start.length);
    expect(completeRecordBytes(new Uint8Array(0))).toBe(0);
    expect(completeRecordBytes(Buffer.alloc(64, 0xff))).toBe(0);
    const path = join(folder, 'events');
    writeFileSync(path, file);
    truncateSync(path, file.length - 3);
    const restored = new AppendFile(path, file.length, completeRecordBytes);
    expect(restored.length).toBe(start.length);
    restored.close();
  });
});

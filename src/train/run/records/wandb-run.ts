/*
 * Offline runs of Weights & Biases: a log in blocks as LevelDB's, whose records are protocol buffers. Field numbers are those of
 * `wandb_internal.proto` of the Python package (0.31), which reads the files and uploads them with `wandb sync`.
 */
import { hostname } from 'node:os';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { ProtoWriter } from '../../../engine/onnx/proto.ts';
import { fileReason, MdetrError } from '../../../errors.ts';
import { replaceFile } from '../../../files/atomic-file.ts';
import { makeFolder } from '../../../files/make-folder.ts';
import type { RunConfig } from '../../config/run-settings.ts';
import { readRecordedRun, type RecordedRun } from './recorded-run.ts';

/** Folder of offline runs in the folder of a run: `wandb sync RUN/wandb/offline-run-*`. */
export const WANDB_FOLDER = 'wandb';

const BLOCK_BYTES = 32_768;
const HEADER_BYTES = 7;
/** `:W&B`, a magic number, and version 0. */
const FILE_HEADER = Uint8Array.of(0x3a, 0x57, 0x26, 0x42, 0xe1, 0xbe, 0);
/** Types of the parts of records. */
const [FULL, FIRST, MIDDLE, LAST] = [1, 2, 3, 4];
/** Oldest version of wandb that reads such files, as wandb itself states it. */
const MIN_CONSUMER = '0.70.0';
const PROJECT = 'mdetr';
const ID_LENGTH = 8;

/**
 * Writes what the log of a run holds as an offline run of Weights & Biases: config, history and summary. The file is made anew
 * from `log.jsonl`, so a resumed run has no step twice. Nothing is sent anywhere; `wandb sync` does that.
 *
 * @throws {MdetrError} if the folder cannot be written
 */
export const writeWandbRun = async (config: RunConfig, isDone: boolean): Promise<void> => {
  const store = join(config.output_dir, WANDB_FOLDER);
  try {
    const run = await readRecordedRun(config);
    const id = run.id.slice(0, ID_LENGTH);
    const time = new Date(run.startedMs).toISOString().replace(/[-:]/g, '').replace('T', '_').slice(0, 15);
    const folder = join(store, `offline-run-${time}-${id}`);
    await makeFolder(join(folder, 'files'));
    await replaceFile(join(folder, `run-${id}.wandb`), blocksOf(recordsOf(run, id, config, isDone)));
  } catch (error) {
    if (error instanceof MdetrError) throw error;
    throw new MdetrError(`${store}: cannot be written (${fileReason(error)})`, { cause: error });
  }
};

/** Fields of `Record`. */
const RECORD = { num: 1, history: 2, summary: 3, run: 17, exit: 18, header: 21 } as const;

const recordsOf = (run: RecordedRun, id: string, config: RunConfig, isDone: boolean): Uint8Array[] => {
  const { provenance, metrics, startedMs, nowMs } = run;
  const records: Uint8Array[] = [];
  const add = (kind: keyof typeof RECORD, message: ProtoWriter): void => {
    const record = new ProtoWriter().int(RECORD.num, records.length + 1).bytes(RECORD[kind], message.finish());
    records.push(record.finish());
  };
  const message = (): ProtoWriter => new ProtoWriter();
  const version = message().string(1, `mdetr ${provenance.package_version}`).string(2, MIN_CONSUMER);
  add('header', message().bytes(1, version.finish()));

  const settings = message();
  const { data, cpu, cpu_threads: threads, package_version: own } = provenance;
  const shown: Readonly<Record<string, unknown>> = {
    ...config,
    _wandb: {},
    mdetr: { version: own, cpu, threads, data },
  };
  for (const [key, value] of Object.entries(shown)) if (value !== undefined) settings.bytes(1, itemOf(1, key, value));
  const begin = message()
    .int(1, Math.floor(startedMs / 1000))
    .int(2, (startedMs % 1000) * 1e6);
  add(
    'run',
    message()
      .string(1, id)
      .string(3, PROJECT)
      .bytes(4, settings.finish())
      .string(8, run.name)
      .string(13, hostname())
      .bytes(17, begin.finish()),
  );

  const last = new Map<string, number>();
  for (const { step, timeMs, values } of mergedSteps(metrics)) {
    const [history, summary] = [message(), message()];
    const own = [...values, ['_step', step], ['_timestamp', timeMs / 1000], ['_runtime', (timeMs - startedMs) / 1000]];
    for (const [name, value] of own as [string, number][]) {
      history.bytes(1, itemOf(NESTED_KEY, name, value));
      if (last.get(name) !== value) summary.bytes(1, itemOf(NESTED_KEY, name, value));
      last.set(name, value);
    }
    add('history', history.bytes(2, message().int(1, step).finish()));
    add('summary', summary);
  }
  if (isDone) add('exit', message().int(2, Math.round((nowMs - startedMs) / 1000)));
  return records;
};

const NESTED_KEY = 2;
const VALUE_JSON = 16;

const itemOf = (keyField: number, key: string, value: unknown): Uint8Array =>
  new ProtoWriter().string(keyField, key).string(VALUE_JSON, JSON.stringify(value)).finish();

/** Entries with one for each step: a history has a row for a step, which is never less than the one before. */
const mergedSteps = (metrics: RecordedRun['metrics']): RecordedRun['metrics'] => {
  const rows = new Map<number, { step: number; timeMs: number; values: (readonly [string, number])[] }>();
  for (const { step, timeMs, values } of metrics) {
    const row = rows.get(step) ?? { step, timeMs, values: [] };
    row.values.push(...values);
    rows.set(step, row);
  }
  return [...rows.values()].sort((a, b) => a.step - b.step);
};

/** A file of records in blocks. A record that does not fit into the rest of a block is continued in the next ones. */
const blocksOf = (records: readonly Uint8Array[]): Uint8Array => {
  const parts: Uint8Array[] = [FILE_HEADER];
  let position = FILE_HEADER.length;
  const push = (bytes: Uint8Array): void => {
    parts.push(bytes);
    position += bytes.length;
  };
  for (const record of records) {
    let rest = record;
    for (let isFirst = true; isFirst || rest.length > 0; isFirst = false) {
      const left = BLOCK_BYTES - (position % BLOCK_BYTES);
      if (left < HEADER_BYTES) push(new Uint8Array(left));
      const room = BLOCK_BYTES - (position % BLOCK_BYTES) - HEADER_BYTES;
      const data = rest.subarray(0, room);
      rest = rest.subarray(data.length);
      push(partOf(data, isFirst ? (rest.length === 0 ? FULL : FIRST) : rest.length === 0 ? LAST : MIDDLE));
    }
  }
  return Buffer.concat(parts);
};

const partOf = (data: Uint8Array, type: number): Uint8Array => {
  const bytes = new Uint8Array(HEADER_BYTES + data.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, crc32(data, crc32(Uint8Array.of(type))), true);
  view.setUint16(4, data.length, true);
  view.setUint8(6, type);
  bytes.set(data, HEADER_BYTES);
  return bytes;
};

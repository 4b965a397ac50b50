import { createHash } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { RunConfig } from '../../config/run-settings.ts';
import { LOG_FILE } from '../run-log.ts';
import { loggedMetrics, type LoggedMetrics } from './logged-metrics.ts';
import { PROVENANCE_FILE, type RunProvenance } from './run-provenance.ts';

/** Identity, times, provenance and metrics of a run, for the records of other programs. */
export interface RecordedRun {
  /** Id in hexadecimal digits, the same after a resume. */
  readonly id: string;
  readonly name: string;
  readonly startedMs: number;
  readonly nowMs: number;
  readonly provenance: RunProvenance;
  readonly metrics: readonly LoggedMetrics[];
}

/** Reads what the folder of a run has recorded. */
export const readRecordedRun = async ({ output_dir: folder, run_name: name }: RunConfig): Promise<RecordedRun> => {
  const path = join(folder, PROVENANCE_FILE);
  const provenance = JSON.parse(await readFile(path, 'utf8')) as RunProvenance;
  const startedMs = Math.round((await stat(join(folder, '.mdetr-run')).catch(() => stat(path))).mtimeMs);
  const nowMs = Date.now();
  return {
    id: createHash('md5').update(resolve(folder)).digest('hex'),
    name: name === '' ? 'mdetr' : name,
    startedMs,
    nowMs,
    provenance,
    metrics: await loggedMetrics(join(folder, LOG_FILE), startedMs, nowMs),
  };
};

import { rm, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { stringify } from 'yaml';
import { fileReason, MdetrError } from '../../../errors.ts';
import { makeFolder } from '../../../files/make-folder.ts';
import type { RunConfig } from '../../config/run-settings.ts';
import type { LoggedMetrics } from './logged-metrics.ts';
import { readRecordedRun } from './recorded-run.ts';

/** Folder of MLflow's file store in the folder of a run: `mlflow ui --backend-store-uri RUN/mlruns`. */
export const MLFLOW_FOLDER = 'mlruns';

const EXPERIMENT = '1';
/** MLflow's codes of a run's status. */
const [RUNNING, FINISHED] = [1, 3];
/** Maximum length of a parameter's value. */
const MAX_VALUE = 500;

/**
 * Writes what the log of a run holds as a run of MLflow's file store: parameters, metrics and tags. All files are made anew from
 * `log.jsonl`, so a resumed run has no step twice. Nothing is sent anywhere.
 *
 * @param config settings of the run; all keys of the object become parameters
 *
 * @throws {MdetrError} if the folder cannot be written
 */
export const writeMlflowRun = async (config: RunConfig, isDone: boolean): Promise<void> => {
  const store = join(config.output_dir, MLFLOW_FOLDER);
  try {
    await write(config, store, isDone);
  } catch (error) {
    throw new MdetrError(`${store}: cannot be written (${fileReason(error)})`, { cause: error });
  }
};

const write = async (config: RunConfig, store: string, isDone: boolean): Promise<void> => {
  const { id: runId, name, startedMs: started, nowMs: now, provenance, metrics } = await readRecordedRun(config);
  const experiment = join(store, EXPERIMENT);
  const run = join(experiment, runId);
  await rm(join(run, 'metrics'), { recursive: true, force: true });
  for (const folder of ['artifacts', 'metrics', 'params', 'tags']) await makeFolder(join(run, folder));
  await writeFile(
    join(experiment, 'meta.yaml'),
    stringify(
      {
        artifact_location: pathToFileURL(resolve(experiment)).href,
        creation_time: started,
        experiment_id: EXPERIMENT,
        last_update_time: now,
        lifecycle_stage: 'active',
        name: 'mdetr',
      },
      QUOTED,
    ),
  );
  await writeFile(
    join(run, 'meta.yaml'),
    stringify(
      {
        artifact_uri: pathToFileURL(resolve(run, 'artifacts')).href,
        end_time: isDone ? now : null,
        entry_point_name: '',
        experiment_id: EXPERIMENT,
        lifecycle_stage: 'active',
        run_id: runId,
        run_name: name,
        run_uuid: runId,
        source_name: '',
        source_type: 4,
        source_version: '',
        start_time: started,
        status: isDone ? FINISHED : RUNNING,
        tags: [],
        user_id: '',
      },
      QUOTED,
    ),
  );
  for (const [key, value] of Object.entries(config))
    if (value !== undefined) await writeFile(join(run, 'params', key), textOf(value));
  const tags: Readonly<Record<string, string>> = {
    'mlflow.runName': name,
    'mlflow.source.name': 'mdetr train',
    'mlflow.source.type': 'LOCAL',
    'mdetr.version': provenance.package_version,
    'mdetr.cpu': `${provenance.cpu} (${provenance.cpu_threads} threads)`,
    'mdetr.data': JSON.stringify(provenance.data),
  };
  for (const [key, value] of Object.entries(tags)) await writeFile(join(run, 'tags', key), value);
  for (const [metric, lines] of linesOf(metrics)) {
    const path = join(run, 'metrics', ...metric.split('/'));
    await makeFolder(dirname(path));
    await writeFile(path, lines.join(''));
  }
};

/** Quotes all strings, so that ids of digits stay strings. */
const QUOTED = { defaultStringType: 'QUOTE_SINGLE', defaultKeyType: 'PLAIN' } as const;

const textOf = (value: unknown): string =>
  (typeof value === 'string' ? value : JSON.stringify(value)).slice(0, MAX_VALUE);

/** Lines `timestamp value step` of each metric. */
const linesOf = (metrics: readonly LoggedMetrics[]): ReadonlyMap<string, readonly string[]> => {
  const lines = new Map<string, string[]>();
  for (const { step, timeMs, values } of metrics)
    for (const [name, value] of values) {
      const own = lines.get(name) ?? [];
      own.push(`${timeMs} ${value} ${step}\n`);
      lines.set(name, own);
    }
  return lines;
};

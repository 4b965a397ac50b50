import { createHash } from 'node:crypto';
import { readFile, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { stringify } from 'yaml';
import { fileReason, MdetrError } from '../../../errors.ts';
import { makeFolder } from '../../../files/make-folder.ts';
import type { RunConfig } from '../../config/run-settings.ts';
import { LOG_FILE } from '../run-log.ts';
import { PROVENANCE_FILE, type RunProvenance } from './run-provenance.ts';

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
  const provenancePath = join(config.output_dir, PROVENANCE_FILE);
  const provenance = JSON.parse(await readFile(provenancePath, 'utf8')) as RunProvenance;
  const started = Math.round(
    (await stat(join(config.output_dir, '.mdetr-run')).catch(() => stat(provenancePath))).mtimeMs,
  );
  const now = Date.now();
  // The id of a run stays when it resumes.
  const runId = createHash('md5').update(resolve(config.output_dir)).digest('hex');
  const name = config.run_name === '' ? 'mdetr' : config.run_name;
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
  for (const [metric, lines] of await metricsOf(join(config.output_dir, LOG_FILE), started, now)) {
    const path = join(run, 'metrics', ...metric.split('/'));
    await makeFolder(dirname(path));
    await writeFile(path, lines.join(''));
  }
};

/** Quotes all strings, so that ids of digits stay strings. */
const QUOTED = { defaultStringType: 'QUOTE_SINGLE', defaultKeyType: 'PLAIN' } as const;

const textOf = (value: unknown): string =>
  (typeof value === 'string' ? value : JSON.stringify(value)).slice(0, MAX_VALUE);

type Entry = { readonly kind: string; readonly step: number } & Readonly<Record<string, unknown>>;

/** Lines `timestamp value step` of each metric. The log has no times; those of entries are spread between start and end by step. */
const metricsOf = async (path: string, started: number, now: number): Promise<Map<string, string[]>> => {
  const entries = (await readFile(path, 'utf8'))
    .split('\n')
    .filter((line) => line.endsWith('}'))
    .map((line) => JSON.parse(line) as Entry);
  const steps = Math.max(1, ...entries.map(({ step }) => step));
  const metrics = new Map<string, string[]>();
  const add = (name: string, value: unknown, step: number): void => {
    if (typeof value !== 'number' || !Number.isFinite(value)) return;
    const key = name.replace(/[^\w\-. /]/g, '_');
    const time = Math.round(started + ((now - started) * step) / steps);
    metrics.set(key, [...(metrics.get(key) ?? []), `${time} ${value} ${step}\n`]);
  };
  for (const { kind, step, ...values } of entries) {
    if (kind === 'validation')
      for (const [name, value] of Object.entries(values['metrics'] as object)) add(`validation/${name}`, value, step);
    if (kind !== 'train') continue;
    for (const [name, value] of Object.entries(values['terms'] as object)) add(`train/${name}`, value, step);
    for (const name of ['loss', 'grad_norm']) add(`train/${name}`, values[name], step);
    for (const name of ['lr', 'lr_backbone', 'text_encoder_lr']) add(`rates/${name}`, values[name], step);
    add('speed/images_per_s', values['images_per_s'], step);
  }
  return metrics;
};

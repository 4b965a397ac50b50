import { stat } from 'node:fs/promises';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { replaceFile } from '../../../files/atomic-file.ts';
import { digestOfFile } from '../../../files/file-digest.ts';
import { packageVersion } from '../../../files/package-folder.ts';
import type { ModelConfig } from '../../../models/index.ts';
import type { TrainConfig } from '../../config/config.ts';
import type { DataConfig, OfficialDataConfig } from '../../config/data-settings.ts';
import { officialDatasets } from '../../data/official-datasets.ts';

/** An annotation file that a run reads. */
export interface DataDigest {
  readonly annotations: string;
  readonly bytes: number;
  /** In lower-case hexadecimal. */
  readonly sha256: string;
}

/** File of the run's folder with its provenance. */
export const PROVENANCE_FILE = 'run.json';

/** Everything that a run can be repeated and compared by. */
export interface RunProvenance {
  readonly package_version: string;
  readonly node: string;
  readonly platform: string;
  /** Model of the processor, and its number of threads. */
  readonly cpu: string;
  readonly cpu_threads: number;
  readonly device: string;
  readonly seed: number;
  readonly data: readonly DataDigest[];
  readonly config: TrainConfig;
}

/** Writes `run.json`, anew when the run resumes. @throws {MdetrError} if it cannot be written */
export const writeProvenance = async (config: TrainConfig): Promise<void> =>
  replaceFile(join(config.output_dir, PROVENANCE_FILE), `${JSON.stringify(await runProvenance(config), null, 2)}\n`);

/** Gathers the provenance of a run. Annotation files are read once; images are not. */
const runProvenance = async (config: TrainConfig): Promise<RunProvenance> => {
  const processors = cpus();
  return {
    package_version: packageVersion(),
    node: process.version,
    platform: `${process.platform} ${process.arch}`,
    cpu: processors[0]?.model.trim() ?? '',
    cpu_threads: processors.length,
    device: config.device,
    seed: config.seed,
    data: await digestsOf(config),
    config,
  };
};

const digestsOf = async (config: DataConfig & OfficialDataConfig & ModelConfig): Promise<DataDigest[]> => {
  const own = [...config.datasets, ...config.datasets_val];
  const datasets = own.length > 0 ? own : [...officialDatasets(config, 'train'), ...officialDatasets(config, 'val')];
  const files = new Set(datasets.flatMap((dataset) => ('annotations' in dataset ? [dataset.annotations] : [])));
  const digests: DataDigest[] = [];
  for (const annotations of files) {
    const { size: bytes } = await stat(annotations);
    digests.push({ annotations, bytes, sha256: await digestOfFile(annotations, 'sha256') });
  }
  return digests;
};

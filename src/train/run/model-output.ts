import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { writeSafetensors } from '../../checkpoints/index.ts';
import { writeAtomically } from '../../files/atomic-file.ts';
import type { HostTensor } from '../../engine/graph/index.ts';
import { modelConfigKeys, qaDataset, type ModelConfig } from '../../models/index.ts';
import { writeModelFolder } from '../../model-folder/node/write-model-folder.ts';
import { frontMatter } from '../../model-folder/card-front-matter.ts';
import { MODEL_FILE_NAMES } from '../../model-folder/layout.ts';
import { WORDS_FOLDER } from './run-folder.ts';
import { isAuxiliary } from '../auxiliary/auxiliary-heads.ts';
import { sourceOf } from './run-state.ts';
import type { DataConfig, OfficialDataConfig } from '../config/data-settings.ts';
import type { AugmentationConfig, OptimizerSettings, RunConfig, ScheduleConfig } from '../config/run-settings.ts';

/** Facts about the training, for the model card. */
export interface TrainingRecord {
  readonly command: string;
  readonly step: number;
  readonly epoch: number;
  readonly pairs: number;
  /** Undefined if the time was not measured. */
  readonly hours: number | undefined;
  readonly metrics: Readonly<Record<string, number>>;
}

/**
 * Writes the network as a model folder, or updates an existing one file by file, each atomically: the folder holds a complete
 * model at any moment.
 */
export const writeTrainedModel = async (
  folder: string,
  weights: ReadonlyMap<string, HostTensor>,
  config: ModelConfig &
    DataConfig &
    OfficialDataConfig &
    AugmentationConfig &
    OptimizerSettings &
    ScheduleConfig &
    RunConfig,
  tokenizerFiles: readonly string[],
  record: TrainingRecord,
): Promise<void> => {
  const tensors = [...weights].filter(([name]) => !isAuxiliary(name)).map(([name, value]) => sourceOf(name, value));
  const card = cardOf(config, record);
  if (existsSync(join(folder, MODEL_FILE_NAMES.weights))) {
    await writeSafetensors(join(folder, MODEL_FILE_NAMES.weights), tensors, { format: 'pt' });
    await writeAtomically(join(folder, MODEL_FILE_NAMES.card), (sink) => sink.write(new TextEncoder().encode(card)));
    return;
  }
  const values = config as unknown as Readonly<Record<string, unknown>>;
  const { shortest_edge: shortestEdge, longest_edge: longestEdge, squeeze: isSquare } = config.image_size;
  await writeModelFolder(
    folder,
    {
      config: Object.fromEntries(
        modelConfigKeys.filter((key) => values[key] !== undefined).map((key) => [key, values[key]]),
      ),
      tensors,
      preprocessing: { shortestEdge, longestEdge, isSquare },
      tokenizerFiles,
      words: existsSync(wordsFile(config)) ? wordsFile(config) : undefined,
      answers: qaDataset(config) === 'gqa' ? answersFile(config) : undefined,
      card,
    },
    { force: true },
  );
};

/** The record of the run's words, which `withWords` writes. */
const wordsFile = (config: RunConfig): string => join(config.output_dir, WORDS_FOLDER, MODEL_FILE_NAMES.words);

const answersFile = (config: ModelConfig & OfficialDataConfig): string =>
  join(config.gqa_ann_path, config.split_qa_heads ? 'gqa_answer2id_by_type.json' : 'gqa_answer2id.json');

const cardOf = (
  config: ModelConfig & DataConfig & OptimizerSettings & ScheduleConfig & RunConfig,
  { command, step, epoch, pairs, hours, metrics }: TrainingRecord,
): string => {
  const rows = [
    ['Command', `\`${command}\``],
    ['Data', dataOf(config)],
    ['Seed', String(config.seed)],
    [
      'Trained for',
      `${step} steps, ${pairs} image-text pairs, epoch ${epoch + 1}${hours === undefined ? '' : `, ${hours.toFixed(2)} hours`}`,
    ],
    ['Weights', config.ema ? `moving average, decay ${config.ema_decay}` : 'those of the last step'],
    ['Losses', `rates ${config.lr} / ${config.lr_backbone} / ${config.text_encoder_lr}, ${config.schedule}`],
    ...Object.entries(metrics).map(([name, value]) => [name, value.toFixed(4)]),
  ];
  return `${frontMatter(['object-detection'])}# ${config.run_name || 'MDETR'}\n\nAn MDETR network, trained with this package.\n\n| | |\n|---|---|\n${rows.map((row) => `| ${row.join(' | ')} |`).join('\n')}\n`;
};

const dataOf = ({ datasets, combine_datasets }: DataConfig & ModelConfig): string =>
  [
    ...combine_datasets,
    ...datasets.map(
      (dataset) =>
        dataset.name ??
        ('scenes' in dataset
          ? 'procedural scenes'
          : 'photos' in dataset
            ? `photographs, ${dataset.tier}`
            : dataset.annotations),
    ),
  ].join(', ');

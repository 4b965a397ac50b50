import { parseCriterionConfig, type LossConfig, type BatchTargets } from '../../src/losses/index.ts';
import { float32Tensor } from '../../src/engine/graph/index.ts';
import { MdetrNetwork, parseModelConfig } from '../../src/models/index.ts';
import { parseTrainConfig } from '../../src/train/config/config.ts';
import { readConfigFile } from '../../src/train/config/config-file.ts';
import { BatchMaker } from '../../src/train/data/batch-maker.ts';
import { sharedTensor } from '../../src/train/optimizer/shared-values.ts';
import { createTrainer, startingPoint, findVocabulary } from '../../src/train/run/run-start.ts';
import { openRunData } from '../../src/train/run/run-data.ts';
import { singleProcess, type Communicator } from '../../src/train/parallel/communicator.ts';
import { Trainer } from '../../src/train/step/trainer.ts';
import type { TrainBatch } from '../../src/train/data/train-batch.ts';
import type { Runtime } from '../../src/engine/runtime/runtime.ts';
import { syntheticNumbers, syntheticWeight } from '../../test/support/synthetic-weights.ts';

export interface Case {
  readonly trainer: Trainer;
  /** Used one after another, cyclically. */
  readonly batches: readonly TrainBatch[];
  /** Image-text pairs of a step. */
  readonly pairs: number;
  /** Arguments of the PyTorch side, so that it does the same work. */
  readonly pytorch: readonly string[];
}

export interface CaseOptions {
  readonly threads: number;
  /** Includes masks and questions, which the PyTorch side does not have. */
  readonly isWhole: boolean;
  /** Connection to other processes or replicas. */
  readonly communicator?: Communicator | undefined;
  /** Parts in which a batch is computed. Default 1. */
  readonly parts?: number | undefined;
  /** Replicas that share the images of a step with this one. Default: 1, which takes all. */
  readonly replicas?: number | undefined;
}

const OFFICIAL_SIZES = {
  r101: { values: {}, image: 512, batch: 2 },
  small: {
    values: {
      backbone: 'resnet18-half',
      hidden_dim: 128,
      nheads: 8,
      enc_layers: 3,
      dec_layers: 3,
      dim_feedforward: 512,
      num_queries: 25,
      text_encoder_type: 'tiny-roberta',
    },
    image: 128,
    batch: 32,
  },
} as const;

export const SIZES = ['r101', 'small', 'scenes'] as const;
export type Size = (typeof SIZES)[number];

const TOKENS = 15;
const BOXES_PER_IMAGE = 5;

export const makeCase = (size: Size, runtime: Runtime, options: CaseOptions): Promise<Case> =>
  size === 'scenes' ? scenesCase(runtime, options) : officialCase(size, runtime, options);

/** The official settings (dropout, auxiliary losses, clipping, three learning rates) on synthetic weights, images and boxes. */
const officialCase = async (
  size: 'r101' | 'small',
  runtime: Runtime,
  { threads, parts, communicator = singleProcess, replicas = 1 }: CaseOptions,
): Promise<Case> => {
  const { values, image, batch: wholeBatch } = OFFICIAL_SIZES[size];
  const batch = wholeBatch / replicas;
  const config: LossConfig = { ...parseModelConfig(values), ...parseCriterionConfig(values) };
  const model = new MdetrNetwork(config);
  const parameters = new Map(
    model.registry.specs.map(({ name, shape }) => [name, sharedTensor(syntheticWeight(name, shape))]),
  );
  const trainer = await Trainer.create(model, config, parameters, runtime, {
    schedule: {
      schedule: 'step',
      lr: 1e-4,
      lr_backbone: 1e-5,
      text_encoder_lr: 5e-5,
      epochs: 40,
      lr_drop: 35,
      fraction_warmup_steps: 0.01,
    },
    optimizer: { optimizer: 'adam', weight_decay: 1e-4 },
    clipMaxNorm: 0.1,
    stepsPerEpoch: 1000,
    seed: 42,
    dropout: true,
    threads,
    parts,
    communicator,
  });
  const ids = Int32Array.from(syntheticNumbers('ids', batch * TOKENS, (u) => 4 + Math.floor(u * 50_000)));
  for (let row = 0; row < batch; row++) [ids[row * TOKENS], ids[(row + 1) * TOKENS - 1]] = [0, 2];
  return {
    trainer,
    batches: [
      {
        inputs: {
          image: {
            dtype: 'float32',
            shape: [batch, 3, image, image],
            data: syntheticNumbers('image', batch * 3 * image * image, (u) => 2 * u - 1),
          },
          padding: { dtype: 'bool', shape: [batch, image, image], data: new Uint8Array(batch * image * image) },
          image_index: { dtype: 'int32', shape: [batch], data: Int32Array.from({ length: batch }, (_, k) => k) },
          input_ids: { dtype: 'int32', shape: [batch, TOKENS], data: ids },
          attention_mask: { dtype: 'int32', shape: [batch, TOKENS], data: new Int32Array(batch * TOKENS).fill(1) },
        },
        targets: syntheticTargets(batch),
        ids: Array.from({ length: batch }, (_, k) => `image ${k}`),
      },
    ],
    pairs: batch,
    pytorch: ['train', '--size', size, '--image', `${image}`, '--batch', `${wholeBatch}`, '--tokens', `${TOKENS}`],
  };
};

/** Boxes inside the image; the phrase of each box is two neighboring tokens. */
const syntheticTargets = (batch: number): BatchTargets => {
  const count = batch * BOXES_PER_IMAGE;
  const numbers = syntheticNumbers('boxes', count * 5, (u) => u);
  const boxesCxcywh = new Float32Array(count * 4);
  const positiveMap = new Float32Array(count * 256);
  const alignment = new Float32Array(count * TOKENS);
  for (let box = 0; box < count; box++) {
    const [x, y, w, h, phrase] = numbers.subarray(box * 5, box * 5 + 5) as unknown as [
      number,
      number,
      number,
      number,
      number,
    ];
    boxesCxcywh.set([0.3 + 0.4 * x, 0.3 + 0.4 * y, 0.05 + 0.4 * w, 0.05 + 0.4 * h], box * 4);
    const token = 1 + Math.floor(phrase * (TOKENS - 3));
    for (const at of [token, token + 1]) {
      positiveMap[box * 256 + at] = 1;
      alignment[box * TOKENS + at] = 1;
    }
  }
  return {
    boxCounts: Array.from({ length: batch }, () => BOXES_PER_IMAGE),
    inputs: {
      target_boxes: float32Tensor([count, 4], boxesCxcywh),
      positive_map: float32Tensor([count, 256], positiveMap),
      box_counts: float32Tensor([batch], new Float32Array(batch).fill(BOXES_PER_IMAGE)),
      alignment_map: float32Tensor([count, TOKENS], alignment),
    },
  };
};

/** The main stage of configs/scenes/learned-queries.json on rendered scenes. */
const scenesCase = async (
  runtime: Runtime,
  { threads, isWhole, parts, communicator = singleProcess, replicas = 1 }: CaseOptions,
): Promise<Case> => {
  const settings = isWhole ? [] : ['mask_model="none"', 'do_qa=false', 'answer_auxiliary_loss=0'];
  const file = await readConfigFile('configs/scenes/learned-queries.json', [
    'datasets=[{"scenes":{"images":64}}]',
    `threads=${threads}`,
    ...settings,
  ]);
  const whole = parseTrainConfig(file.stages.find(({ name }) => name === 'main')!.values);
  const config = { ...whole, batch_size: whole.batch_size / replicas, batch_parts: parts };
  const data = openRunData(config);
  const start = await startingPoint(config, undefined, () => undefined);
  const trainer = await createTrainer(config, start, runtime, data.stepsPerEpoch, communicator);
  const tokenizer = await findVocabulary(config);
  const maker = await BatchMaker.open({ config, datasets: data.datasets, tokenizer, maxTokens: 38 });
  const batches: TrainBatch[] = [];
  for (let batch = 0; batch < 4; batch++) {
    const rows = [...data.sampler.batch({ epoch: 0, batch: batch * communicator.size + communicator.rank })];
    const made = await maker.make({ rows, key: { seed: config.seed, epoch: 0, pairsBefore: 1e9 } });
    batches.push(made.batch);
  }
  data.close();
  const pairs = config.batch_size * config.texts_per_image;
  const mean = (values: readonly number[]): number => Math.round(values.reduce((a, b) => a + b, 0) / values.length);
  const boxes = mean(batches.map(({ targets }) => targets.inputs.target_boxes.shape[0]! / pairs));
  const length = mean(batches.map(({ inputs }) => inputs['input_ids']!.shape[1]!));
  const [, , height, width] = batches[0]!.inputs['image']!.shape as [number, number, number, number];
  const network = {
    width_px: width,
    height_px: height,
    images: whole.batch_size,
    texts: config.texts_per_image,
    boxes: Math.max(1, boxes),
    tokens: length,
    vocabulary: 115,
    heads: config.nheads,
    queries: config.num_queries,
  };
  const pytorch = Object.entries(network).flatMap(([key, value]) => ['--set', `${key}=${value}`]);
  return { trainer, batches, pairs, pytorch: ['train-scenes', ...pytorch] };
};

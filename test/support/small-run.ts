import { fileURLToPath } from 'node:url';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';
import { annotationRow } from '../../src/scenes/dataset/annotation-rows.ts';
import { generateScene, makeTexts, Random, type TextKind } from '../../src/scenes/index.ts';
import { parseTrainConfig, type TrainConfig } from '../../src/train/config/config.ts';

/** A config of a network that trains in milliseconds, on small scenes that are rendered as needed. */
export const smallValues = {
  small_backbone: { widths: [8, 8, 16, 16], groups: 4 },
  hidden_dim: 16,
  nheads: 2,
  enc_layers: 1,
  dec_layers: 2,
  dim_feedforward: 32,
  num_queries: 6,
  position_temperature: 20,
  text_encoder_type: 'scenes',
  text_encoder: {
    hidden_size: 16,
    num_hidden_layers: 1,
    num_attention_heads: 2,
    intermediate_size: 32,
    vocab_size: 115,
    max_position_embeddings: 40,
  },
  tokenizer: fileURLToPath(new URL('../../configs/scenes/plain-words', import.meta.url)),
  align_fallback: 'own_caption',
  image_size: { shortest_edge: 64, longest_edge: 96 },
  optimizer: 'adamw',
  lr: 1e-3,
  lr_backbone: 1e-3,
  text_encoder_lr: 1e-3,
  schedule: 'all_cosine_with_warmup',
  fraction_warmup_steps: 0.1,
  batch_size: 2,
  log_every: 2,
  save_every: 5,
  num_workers: 0,
  threads: 1,
  // The smallest scenes there are: rendering takes most of the time of such a training.
  datasets: [{ scenes: { seed: 5, images: 16, width: 60, height: 40, min_objects: 2, max_objects: 3 } }],
};

export const smallConfig = (more: Readonly<Record<string, unknown>> = {}): TrainConfig =>
  parseTrainConfig({ ...smallValues, ...more });

/** An annotation file in the official format, which tests can change before it is written. */
export interface SmallAnnotations {
  readonly images: { id: number; file_name: string; [field: string]: unknown }[];
  readonly annotations: { image_id: number; [field: string]: unknown }[];
}

export interface SmallDataset {
  readonly folder: string;
  /** Path of the annotation file. */
  readonly file: string;
  readonly images: string;
  readonly annotations: SmallAnnotations;
  /** Writes `annotations` as they are now, or another text. */
  write(text?: string): void;
}

/** Writes small scenes as images and rows with one caption each, ids from 1 on. */
export const smallDataset = async (
  folder: string,
  count: number,
  { kind = 'caption', masks = false }: { kind?: TextKind; masks?: boolean } = {},
): Promise<SmallDataset> => {
  const images = join(folder, 'images');
  mkdirSync(images, { recursive: true });
  const annotations: SmallAnnotations = { images: [], annotations: [] };
  for (let index = 0; index < count; index++) {
    const scene = generateScene(3, index, { width: 96, height: 64, minObjects: 2, maxObjects: 3 });
    const [text] = makeTexts(scene, kind, Random.of(7, index), { count: 1 });
    const name = `image-${index}.png`;
    const { width, height, data } = scene.image;
    await sharp(data, { raw: { width, height, channels: 3 } })
      .png()
      .toFile(join(images, name));
    const row = annotationRow(scene, text!, name, { masks });
    annotations.images.push({ ...row.image, file_name: name, id: index + 1 });
    for (const own of row.annotations)
      annotations.annotations.push({ ...own, id: annotations.annotations.length + 1, image_id: index + 1 });
  }
  const file = join(folder, 'annotations.json');
  const write = (text = JSON.stringify(annotations)): void => writeFileSync(file, text);
  write();
  return { folder, file, images, annotations, write };
};

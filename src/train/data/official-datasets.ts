import { join } from 'node:path';
import { MdetrError, quoted } from '../../errors.ts';
import type { ModelConfig } from '../../models/index.ts';
import type { DatasetConfig } from '../config/slices/datasets.ts';
import type { OfficialDataConfig } from '../config/slices/official-datasets.ts';

type OfficialConfig = OfficialDataConfig & Pick<ModelConfig, 'combine_datasets' | 'do_qa'>;

/** Annotation files and image folders of an official dataset, under their official names. */
const officialDataset = (name: string, config: OfficialConfig, part: 'train' | 'val'): readonly DatasetConfig[] => {
  const { coco_path: coco, vg_img_path: vg, test, clevr_img_path: clevrImages, clevr_ann_path: clevr } = config;
  const file = (folder: string, annotations: string, images: string | Record<string, string>): DatasetConfig => ({
    name,
    annotations: join(folder, annotations),
    images,
  });
  switch (name) {
    case 'flickr': {
      const kind = config.GT_type === 'merged' ? 'mergedGT' : 'separateGT';
      const images = join(config.flickr_img_path, part);
      return [file(config.flickr_ann_path, `final_flickr_${kind}_${test ? 'test' : part}.json`, images)];
    }
    case 'mixed':
      return [file(config.gqa_ann_path, `final_mixed_${part}.json`, { coco: join(coco, `${part}2014`), vg })];
    case 'gqa': {
      if (!config.do_qa) return [file(config.gqa_ann_path, `final_gqa_${part}.json`, vg)];
      const split = config.gqa_split_type;
      // As in the official code: training includes GQA's validation split, validation uses testdev.
      const files = part === 'train' ? [`train_${split}`, `val_${split}`] : ['testdev_balanced'];
      return files.map((own) => file(config.gqa_ann_path, `finetune_gqa_${own}.json`, vg));
    }
    case 'refexp': {
      const set = config.refexp_dataset_name;
      const own = set !== 'all' && test ? config.test_type : part;
      const annotations = set === 'all' ? `final_refexp_${part}.json` : `finetune_${set}_${own}.json`;
      return [file(config.refexp_ann_path, annotations, join(coco, 'train2014'))];
    }
    case 'phrasecut': {
      const own = test ? 'test' : part === 'val' ? 'miniv' : part;
      return [file(config.phrasecut_ann_path, `finetune_phrasecut_${own}.json`, vg)];
    }
    case 'modulated_lvis': {
      const subset = config.lvis_subset === 100 ? '' : String(config.lvis_subset);
      return [file(config.modulated_lvis_ann_path, `finetune_lvis${subset}_${part}.json`, config.coco2017_path)];
    }
    case 'clevr':
      return [file(clevr, `${part}.json`, join(clevrImages, config.clevr_variant === 'cogent' ? `${part}A` : part))];
    case 'clevrref':
      return [file(clevr, `${part}.json`, join(clevrImages, part))];
    case 'clevr_question': {
      const own = test ? 'test' : part;
      const annotations = {
        humans: `CLEVR-Humans-${own}.json`,
        normal: `CLEVR_${own}_questions.json`,
        cogent: `CLEVR_${config.cogent_set}_questions.json`,
      }[config.clevr_variant];
      return [file(clevr, annotations, join(clevrImages, config.clevr_variant === 'cogent' ? config.cogent_set : own))];
    }
    default:
      throw new MdetrError(`combine_datasets: ${quoted(name)} is not one of ${OFFICIAL_NAMES.join(', ')}`);
  }
};

/** Config keys that hold the paths of each official dataset. */
export const OFFICIAL_PATHS: Readonly<Record<string, readonly string[]>> = {
  flickr: ['flickr_ann_path', 'flickr_img_path'],
  mixed: ['gqa_ann_path', 'coco_path', 'vg_img_path'],
  gqa: ['gqa_ann_path', 'vg_img_path'],
  refexp: ['refexp_ann_path', 'coco_path'],
  phrasecut: ['phrasecut_ann_path', 'vg_img_path'],
  modulated_lvis: ['modulated_lvis_ann_path', 'coco2017_path'],
  clevr: ['clevr_ann_path', 'clevr_img_path'],
  clevrref: ['clevr_ann_path', 'clevr_img_path'],
  clevr_question: ['clevr_ann_path', 'clevr_img_path'],
};

/** Values of `combine_datasets`. */
export const OFFICIAL_NAMES: readonly string[] = Object.keys(OFFICIAL_PATHS);

/**
 * The datasets that `combine_datasets` (or `combine_datasets_val`) names.
 *
 * @throws {MdetrError} for an unknown name
 */
export const officialDatasets = (config: OfficialConfig, part: 'train' | 'val'): readonly DatasetConfig[] =>
  (part === 'train' ? config.combine_datasets : config.combine_datasets_val).flatMap((name) =>
    officialDataset(name, config, part),
  );

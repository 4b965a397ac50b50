import * as z from 'zod';
import { flag, path } from './values.ts';

const folder = (description: string) => path.default('').meta({ description });

/** Paths and variants of the official datasets, under the official names. @internal */
export const officialDataSchema = z.object({
  combine_datasets_val: z
    .array(z.string())
    .default([])
    .meta({ description: 'Official validation sets by name, as in `combine_datasets`.' }),
  coco_path: folder('COCO 2014, with `train2014/` and `val2014/`.'),
  coco2017_path: folder('COCO 2017, for LVIS.'),
  vg_img_path: folder('Images of Visual Genome.'),
  vg_ann_path: folder('Accepted, but not read.'),
  flickr_img_path: folder('Flickr30k images, with `train/`, `val/` and `test/`.'),
  flickr_dataset_path: folder('Flickr30k Entities, read by the validation for Recall@k.'),
  flickr_ann_path: folder('Folder of `final_flickr_*.json`.'),
  gqa_ann_path: folder('Folder of `final_mixed_*.json`, `finetune_gqa_*.json` and the answer tables.'),
  refexp_ann_path: folder('Folder of the prepared referring-expression files.'),
  clevr_img_path: folder('Images of CLEVR.'),
  clevr_ann_path: folder(
    "Folder of the prepared CLEVR annotations; for `clevr_question`, of CLEVR's or CLEVR-Humans' own question files.",
  ),
  phrasecut_ann_path: folder('Folder of the prepared PhraseCut annotations.'),
  phrasecut_orig_ann_path: folder("PhraseCut's own files, read by the validation for its metric."),
  modulated_lvis_ann_path: folder('Folder of the prepared LVIS annotations.'),
  GT_type: z
    .enum(['separate', 'merged'])
    .default('separate')
    .meta({ description: "Flickr30k: a phrase's boxes separately, or merged into one." }),
  gqa_split_type: z.enum(['balanced', 'all']).default('balanced').meta({ description: 'GQA: which questions.' }),
  refexp_dataset_name: z
    .enum(['all', 'refcoco', 'refcoco+', 'refcocog'])
    .default('all')
    .meta({ description: 'Which dataset of referring expressions.' }),
  clevr_variant: z.enum(['normal', 'cogent', 'humans']).default('normal').meta({ description: 'Variant of CLEVR.' }),
  cogent_set: z.string().default('valA').meta({ description: 'CLEVR-CoGenT: which set.' }),
  lvis_subset: z
    .union([z.literal(1), z.literal(10), z.literal(100)])
    .default(100)
    .meta({ description: 'LVIS: percent of the training annotations (1, 10 or 100).' }),
  test: flag.default(false).meta({ description: 'Validate on the test split.' }),
  test_type: z
    .enum(['testA', 'testB', 'test'])
    .default('test')
    .meta({ description: 'Test split; `testA` and `testB` are those of RefCOCO.' }),
});

export type { OfficialDataConfig } from '../data-settings.ts';

import type { Orientation } from '../../data/images/orientation.ts';

/**
 * Settings of the data of a training run. Written out, so that declarations need no schema library; a test keeps them
 * equal to the schemas in `slices/`, which have the defaults.
 */

/** Scenes without a folder: rendered when they are needed. */
export interface DrawnScenes {
  /** Seed of the scenes. */
  readonly seed: number;
  /** Index of the first scene. */
  readonly start: number;
  /** Number of scenes. */
  readonly images: number;
  /** Split of the scenes benchmark: its colors of shapes and its phrasings. */
  readonly split: 'standard' | 'paraphrase' | 'paraphrase2' | 'cogent-a' | 'cogent-b';
  /** Width in pixels. */
  readonly width: number;
  /** Height in pixels. */
  readonly height: number;
  /** Minimum number of objects in a scene. */
  readonly min_objects: number;
  /** Maximum number of objects in a scene. */
  readonly max_objects: number;
}

/** A dataset of images with an annotation file. */
export interface AnnotatedDataset {
  /** Annotation file in the official format, or one of CLEVR's own question files for a network that only answers (`do_qa`, `no_detection`). */
  readonly annotations: string;
  /** Folder of the images, or one folder for each `data_source`: `{"coco": "…", "vg": "…"}`. */
  readonly images: string | Readonly<Record<string, string>>;
  /** Name in logs. The name of an official dataset selects its augmentation and metric. */
  readonly name?: string | undefined;
  /** Validation: benchmark that measures the dataset besides boxes, one of `mdetr evaluate --list`. */
  readonly task?: string | undefined;
}

/** A dataset of procedural scenes. */
export interface SceneDataset {
  /** Folder written by `mdetr scenes`, or the scenes to render (keys below). Their texts are made anew in every epoch. */
  readonly scenes: string | DrawnScenes;
  /** Name in logs. */
  readonly name?: string | undefined;
}

/** Photographs whose features a frozen detector computed once (docs/photographs.md). */
export interface PhotoDataset {
  /** Folder with `photos.jsonl`, `lexicon.json` and `features/`. Texts are made anew for every sample. */
  readonly photos: string;
  /** Strictest terms of the images that are used. */
  readonly tier: 'clean' | 'no-flickr8k' | 'all';
  /** Name in logs. */
  readonly name?: string | undefined;
}

/** A dataset of the caller's own. */
export type DatasetConfig = AnnotatedDataset | SceneDataset | PhotoDataset;

/** Datasets of the caller's own, and how their samples become batches. */
export interface DataConfig {
  /** Datasets to train on, instead of official ones by name; see below. */
  readonly datasets: readonly DatasetConfig[];
  /** Datasets of the validation, instead of official ones by name. */
  readonly datasets_val: readonly DatasetConfig[];
  /** Images of a batch; in the official code, of each GPU. */
  readonly batch_size: number;
  /** Above 0: each epoch covers one of this many chunks of the data, in turn. */
  readonly epoch_chunks: number;
  /** Above 1: batches of similar image shape, formed within windows of this many batches. Saves padding. */
  readonly bucket_window: number;
  /** `stop` ends the run at a row that cannot be used; `skip` leaves such rows out and counts them. */
  readonly on_bad_row: 'stop' | 'skip';
  /** Orientation of all images; by default the size in an image's row decides. */
  readonly orientation?: Orientation | undefined;
  /** Threads that prepare batches; 0 prepares them in the main thread. Does not affect the results. */
  readonly num_workers?: number | undefined;
  /** Folder of the vocabulary files, the name of a pulled vocabulary, or a model that has one. */
  readonly tokenizer?: string | undefined;
}

/** Official datasets by name, and where their files are. */
export interface OfficialDataConfig {
  /** Official validation sets by name, as in `combine_datasets`. */
  readonly combine_datasets_val: readonly string[];
  /** COCO 2014, with `train2014/` and `val2014/`. */
  readonly coco_path: string;
  /** COCO 2017, for LVIS. */
  readonly coco2017_path: string;
  /** Images of Visual Genome. */
  readonly vg_img_path: string;
  /** Accepted, but not read. */
  readonly vg_ann_path: string;
  /** Flickr30k images, with `train/`, `val/` and `test/`. */
  readonly flickr_img_path: string;
  /** Flickr30k Entities, read by the validation for Recall@k. */
  readonly flickr_dataset_path: string;
  /** Folder of `final_flickr_*.json`. */
  readonly flickr_ann_path: string;
  /** Folder of `final_mixed_*.json`, `finetune_gqa_*.json` and the answer tables. */
  readonly gqa_ann_path: string;
  /** Folder of the prepared referring-expression files. */
  readonly refexp_ann_path: string;
  /** Images of CLEVR. */
  readonly clevr_img_path: string;
  /** Folder of the prepared CLEVR annotations; for `clevr_question`, of CLEVR's or CLEVR-Humans' own question files. */
  readonly clevr_ann_path: string;
  /** Folder of the prepared PhraseCut annotations. */
  readonly phrasecut_ann_path: string;
  /** PhraseCut's own files, read by the validation for its metric. */
  readonly phrasecut_orig_ann_path: string;
  /** Folder of the prepared LVIS annotations. */
  readonly modulated_lvis_ann_path: string;
  /** Flickr30k: a phrase's boxes separately, or merged into one. */
  readonly GT_type: 'separate' | 'merged';
  /** GQA: which questions. */
  readonly gqa_split_type: 'balanced' | 'all';
  /** Which dataset of referring expressions. */
  readonly refexp_dataset_name: 'all' | 'refcoco' | 'refcoco+' | 'refcocog';
  /** Variant of CLEVR. */
  readonly clevr_variant: 'normal' | 'cogent' | 'humans';
  /** CLEVR-CoGenT: which set. */
  readonly cogent_set: string;
  /** LVIS: percent of the training annotations (1, 10 or 100). */
  readonly lvis_subset: 1 | 10 | 100;
  /** Validate on the test split. */
  readonly test: boolean;
  /** Test split; `testA` and `testB` are those of RefCOCO. */
  readonly test_type: 'test' | 'testA' | 'testB';
}

/** A checkpoint published by the authors of MDETR. */
export interface PublishedCheckpoint {
  readonly kind: 'checkpoint';
  /** Name for `mdetr pull` and `--model`. */
  readonly name: string;
  /** Name of the file in the official record. */
  readonly file: string;
  /** Task that it was trained for, and its score there according to the official README. */
  readonly about: string;
  /** Approximate size, from the official README. */
  readonly gigabytes: number;
  /** Name of the vocabulary of its text encoder. */
  readonly tokenizer: string;
  /** Name of its function in the official `hubconf.py`; undefined where there is none. */
  readonly hubName?: string | undefined;
}

/** A vocabulary with the file layout of the Hugging Face hub. */
export interface PublishedTokenizer {
  readonly kind: 'tokenizer';
  /** Name, as in `text_encoder_type`. */
  readonly name: string;
  /** Repository on the hub. */
  readonly repository: string;
  readonly about: string;
  readonly gigabytes: number;
  /** Files, with their SHA-256 if known. Without it, the digest that the hub reports is checked. */
  readonly files: readonly { readonly name: string; readonly sha256?: string | undefined }[];
}

/** Initial weights of a part of the network. */
export interface PublishedPart {
  readonly kind: 'weights';
  readonly name: string;
  /** Name of the file at its source. */
  readonly file: string;
  readonly source: 'torchvision' | 'timm' | 'hub';
  /** Repository on the hub, if that is the source. */
  readonly repository?: string;
  readonly about: string;
  readonly gigabytes: number;
}

/** A published file, or set of files, that `pull` knows by name. */
export type Published = PublishedCheckpoint | PublishedTokenizer | PublishedPart;

const CHECKPOINT_SUFFIX = '_checkpoint.pth';

/** Names of the functions in the official `hubconf.py` (`torch.hub.load('ashkamath/mdetr', NAME)`), by checkpoint. */
const HUB_NAMES: Readonly<Record<string, string>> = {
  pretrained_resnet101: 'mdetr_resnet101',
  pretrained_EB3: 'mdetr_efficientnetB3',
  pretrained_EB5: 'mdetr_efficientnetB5',
  refcoco_resnet101: 'mdetr_resnet101_refcoco',
  refcoco_EB3: 'mdetr_efficientnetB3_refcoco',
  'refcoco+_resnet101': 'mdetr_resnet101_refcocoplus',
  'refcoco+_EB3': 'mdetr_efficientnetB3_refcocoplus',
  refcocog_resnet101: 'mdetr_resnet101_refcocog',
  refcocog_EB3: 'mdetr_efficientnetB3_refcocog',
  phrasecut_resnet101: 'mdetr_resnet101_phrasecut',
  phrasecut_EB3: 'mdetr_efficientnetB3_phrasecut',
  gqa_resnet101: 'mdetr_resnet101_gqa',
  gqa_EB5: 'mdetr_efficientnetB5_gqa',
  clevr: 'mdetr_clevr',
  clevr_humans: 'mdetr_clevr_humans',
};

const checkpoint = (
  name: string,
  gigabytes: number,
  about: string,
  tokenizer = 'roberta-base',
): PublishedCheckpoint => ({
  kind: 'checkpoint',
  name,
  file: `${name}${CHECKPOINT_SUFFIX}`,
  about,
  gigabytes,
  tokenizer,
  hubName: HUB_NAMES[name],
});

/** All checkpoints of the official README's tables, under the official names. */
// prettier-ignore
export const CHECKPOINTS: readonly PublishedCheckpoint[] = [
  checkpoint('pretrained_resnet101', 3, 'pre-trained, ResNet-101; Flickr30k any box: test R@1 83.4'),
  checkpoint('pretrained_EB3', 2.4, 'pre-trained, EfficientNet-B3; Flickr30k any box: test R@1 84.0'),
  checkpoint('pretrained_EB5', 2.7, 'pre-trained, EfficientNet-B5; Flickr30k any box: test R@1 84.3'),
  checkpoint('flickr_merged_resnet101', 3, 'Flickr30k merged boxes, ResNet-101: test R@1 83.8'),
  checkpoint('refcoco_resnet101', 3, 'RefCOCO, ResNet-101: val 86.75'),
  checkpoint('refcoco_EB3', 2.4, 'RefCOCO, EfficientNet-B3: val 87.51'),
  checkpoint('refcoco+_resnet101', 3, 'RefCOCO+, ResNet-101: val 79.52'),
  checkpoint('refcoco+_EB3', 2.4, 'RefCOCO+, EfficientNet-B3: val 81.13'),
  checkpoint('refcocog_resnet101', 3, 'RefCOCOg, ResNet-101: val 81.64'),
  checkpoint('refcocog_EB3', 2.4, 'RefCOCOg, EfficientNet-B3: val 83.35'),
  checkpoint('phrasecut_resnet101', 1.5, 'PhraseCut with masks, ResNet-101: mean IoU 53.1'),
  checkpoint('phrasecut_EB3', 1.2, 'PhraseCut with masks, EfficientNet-B3: mean IoU 53.7'),
  checkpoint('gqa_resnet101', 3, 'GQA, ResNet-101: test-dev 62.48'),
  checkpoint('gqa_EB5', 2.7, 'GQA, EfficientNet-B5: test-dev 62.95'),
  checkpoint('lvis1', 3, 'LVIS, 1 % of the data: AP 16.7'),
  checkpoint('lvis10', 3, 'LVIS, 10 % of the data: AP 24.2'),
  checkpoint('lvis100', 3, 'LVIS, all of the data: AP 22.5'),
  checkpoint('clevr', 0.45, 'CLEVR, ResNet-18: accuracy 99.7', 'distilroberta-base'),
  checkpoint('clevr_humans', 0.43, 'CLEVR-Humans, ResNet-18: accuracy 81.7', 'distilroberta-base'),
  checkpoint('clevr_cogent', 0.43, 'CLEVR-CoGenT, ResNet-18: test A 99.8, test B 76.7', 'distilroberta-base'),
];

const tokenizer = (name: string, owner: string, sums: readonly [string, string] | [] = []): PublishedTokenizer => ({
  kind: 'tokenizer',
  name,
  repository: `${owner}/${name}`,
  about: `vocabulary of ${name}`,
  gigabytes: 0.0014,
  files: ['vocab.json', 'merges.txt'].map((file, index) => ({
    name: file,
    sha256: sums[index],
  })),
});

/** Vocabularies of the text encoders that the official code supports. */
export const TOKENIZERS: readonly PublishedTokenizer[] = [
  tokenizer('roberta-base', 'FacebookAI', [
    '9e7f63c2d15d666b52e21d250d2e513b87c9b713cfa6987a82ed89e5e6e50655',
    '1ce1664773c50f3e0cc8842619a93edc4624525b728b188a9e0be33b7726adc5',
  ]),
  tokenizer('roberta-large', 'FacebookAI'),
  tokenizer('distilroberta-base', 'distilbert'),
];

const backbone = (
  source: 'torchvision' | 'timm',
  name: string,
  sum: string,
  about: string,
  gigabytes: number,
): PublishedPart => ({ kind: 'weights', name, file: `${name}-${sum}.pth`, source, about, gigabytes });

const encoder = (name: string, owner: string, gigabytes: number): PublishedPart => ({
  kind: 'weights',
  name: `${name}-weights`,
  file: 'model.safetensors',
  source: 'hub',
  repository: `${owner}/${name}`,
  about: `weights of ${name}, for training from scratch`,
  gigabytes,
});

/** Weights that pre-training starts from: backbones from their authors, RoBERTa from the hub. */
// prettier-ignore
const parts: readonly PublishedPart[] = [
  backbone('torchvision', 'resnet18', 'f37072fd', 'backbone trained on ImageNet, for training from scratch', 0.047),
  backbone('torchvision', 'resnet34', 'b627a593', 'backbone trained on ImageNet, for training from scratch', 0.087),
  backbone('torchvision', 'resnet50', '0676ba61', 'backbone trained on ImageNet, for training from scratch', 0.103),
  backbone('torchvision', 'resnet101', '63fe2227', 'backbone trained on ImageNet, for training from scratch', 0.179),
  backbone('timm', 'tf_efficientnet_b3_ns', '9d44bf68', 'noisy-student backbone, for training from scratch', 0.049),
  backbone('timm', 'tf_efficientnet_b5_ns', '6f26d0cf', 'noisy-student backbone, for training from scratch', 0.122),
  encoder('roberta-base', 'FacebookAI', 0.5),
  encoder('roberta-large', 'FacebookAI', 1.42),
  encoder('distilroberta-base', 'distilbert', 0.33),
];

/** All published files, in the order of `mdetr pull --list`. */
export const CATALOG: readonly Published[] = [...CHECKPOINTS, ...TOKENIZERS, ...parts];

/**
 * Looks up a name such as `pretrained_resnet101`, a file name such as `pretrained_resnet101_checkpoint.pth`, or a name of the
 * official `hubconf.py` such as `mdetr_resnet101`.
 */
export const findPublished = (name: string): Published | undefined =>
  CATALOG.find(
    (entry) => entry.name === name || (entry.kind === 'checkpoint' && (entry.file === name || entry.hubName === name)),
  );

/** Location of the files below the cache folder, where `--model` and `--tokenizer` look for them. */
export const placeOf = (entry: Published): { readonly folder: string; readonly files: readonly string[] } => {
  switch (entry.kind) {
    case 'checkpoint':
      return { folder: 'models', files: [entry.file] };
    case 'tokenizer':
      return { folder: `tokenizers/${entry.name}`, files: entry.files.map(({ name }) => name) };
    case 'weights':
      return { folder: 'models', files: [entry.source === 'hub' ? `${entry.name}.safetensors` : entry.file] };
  }
};

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { parseTrainConfig, type TrainConfig } from './config.ts';
import { readConfigFile } from './config-file.ts';
import { officialDatasets } from '../data/official-datasets.ts';

const root = fileURLToPath(new URL('../../..', import.meta.url));

/** Contents of the JSON files of the official repository. */
const official = JSON.parse(readFileSync(join(root, 'test/fixtures/official-configs.json'), 'utf8')) as Readonly<
  Record<string, Readonly<Record<string, unknown>>>
>;

const filesOf = (config: TrainConfig, part: 'train' | 'val'): unknown[] =>
  officialDatasets(config, part).map((dataset) => ('annotations' in dataset ? dataset.annotations : dataset));

describe('the official configs', () => {
  it.each(Object.entries(official))('%s loads unchanged', (name, values) => {
    const config = parseTrainConfig(values, `${name}.json`) as unknown as Record<string, unknown>;
    for (const [key, value] of Object.entries(values))
      // The official files write 1 for true.
      expect(config[key], key).toEqual(typeof config[key] === 'boolean' ? Boolean(value) : value);
  });

  it.each([
    ['pretrain', 'train', ['final_flickr_separateGT_train.json', 'final_mixed_train.json']],
    ['pretrain', 'val', ['final_gqa_val.json', 'final_flickr_separateGT_val.json', 'final_refexp_val.json']],
    ['flickr', 'val', ['final_flickr_separateGT_val.json']],
    ['refcoco', 'train', ['finetune_refcoco_train.json']],
    ['refcoco+', 'val', ['finetune_refcoco+_val.json']],
    ['refcocog', 'val', ['finetune_refcocog_val.json']],
    ['gqa', 'train', ['final_gqa_train.json']],
    ['phrasecut', 'train', ['finetune_phrasecut_train.json']],
    ['phrasecut', 'val', ['finetune_phrasecut_miniv.json']],
    ['lvis', 'train', ['finetune_lvis10_train.json']],
    ['clevr', 'train', ['train.json']],
    ['clevrref', 'val', ['val.json']],
    ['clevr_humans', 'val', ['CLEVR-Humans-val.json']],
  ] as const)('%s reads for %s %j', (name, part, expected) => {
    const files = filesOf(parseTrainConfig(official[name]!), part);
    expect(files.map((file) => String(file).split('/').at(-1))).toEqual(expected);
  });

  it('refuses a misspelt key, naming the right one', () => {
    expect(() => parseTrainConfig({ ...official['refcoco'], refexp_anns_path: '' }, 'refcoco.json')).toThrow(
      'refcoco.json: unknown key "refexp_anns_path"; did you mean "refexp_ann_path"?',
    );
    expect(() => parseTrainConfig({ ...official['lvis'], lvis_subset: 20 })).toThrow(/"lvis_subset"/);
  });
});

/** Config and stage -> what is asked for on the official command line, by the README's instructions. */
const commandLines: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  pretrain: { ema: true, backbone: 'resnet101', epochs: 40, lr_drop: 35 },
  pretrain_EB3: { ema: true, backbone: 'timm_tf_efficientnet_b3_ns', lr_backbone: 5e-5 },
  pretrain_EB5: { ema: true, backbone: 'timm_tf_efficientnet_b5_ns', lr_backbone: 5e-5 },
  refcoco: { batch_size: 4, load: 'pretrained_resnet101', ema: true, text_encoder_lr: 1e-5, lr: 5e-5, epochs: 5 },
  'refcoco+': { batch_size: 4, ema: true, text_encoder_lr: 1e-5, lr: 5e-5, epochs: 5, lr_drop: 3 },
  refcocog: { batch_size: 4, ema: true, text_encoder_lr: 1e-5, lr: 5e-5, epochs: 3, lr_drop: 2 },
  'phrasecut detector': { epochs: 10, lr_drop: 11, ema: true, text_encoder_lr: 1e-5, lr: 5e-5, mask_model: 'none' },
  'phrasecut masks': { epochs: 35, lr_drop: 25, mask_model: 'smallconv', aux_loss: false, freeze_detector: true },
  gqa: {
    epochs: 125,
    epoch_chunks: 25,
    lr_drop: 150,
    batch_size: 4,
    do_qa: true,
    split_qa_heads: true,
    ema: true,
    aux_loss: false,
    qa_loss_coef: 25,
    lr: 1.4e-4,
    lr_backbone: 1.4e-5,
    text_encoder_lr: 7e-5,
    gqa_split_type: 'all',
  },
  lvis: { epochs: 150, lr_drop: 120, eval_skip: 5, ema: true, load: 'pretrained_resnet101' },
  'clevr step1': {
    backbone: 'resnet18',
    num_queries: 25,
    batch_size: 64,
    epochs: 30,
    lr_drop: 20,
    schedule: 'linear_with_warmup',
    text_encoder_type: 'distilroberta-base',
    do_qa: false,
  },
  'clevr step2': { do_qa: true, split_qa_heads: true, epochs: 30, lr_drop: 20, num_queries: 25 },
  'clevr_cogent step1': { clevr_variant: 'cogent', do_qa: false },
  'clevr_cogent step2': { clevr_variant: 'cogent', do_qa: true },
  clevr_humans: { epochs: 60, lr_drop: 40, no_detection: true, batch_size: 64, num_queries: 25 },
  clevrref: { predict_final: true },
};

/** Keys whose values are paths on the user's disk, or that each of our training stages sets. */
const isOwn = (key: string): boolean => key.endsWith('_path') || ['do_qa', 'split_qa_heads'].includes(key);

describe('the configs of this package', () => {
  const names = readdirSync(join(root, 'configs'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.json') && !name.endsWith('tokenizer.json'))
    .map((name) => name.slice(0, -'.json'.length));

  it('are there for every official experiment', () => {
    expect(names).toEqual(
      expect.arrayContaining(Object.keys(official).filter((name) => !/^clevr.*_pretrain$/.test(name))),
    );
  });

  it.each(names)('%s: every stage is a whole config', async (name) => {
    const { stages } = await readConfigFile(join(root, 'configs', `${name}.json`));
    for (const { name: stage, values } of stages) {
      const config = parseTrainConfig(values, `${name} ${stage}`) as unknown as Record<string, unknown>;
      expect(config).toMatchObject(commandLines[`${name} ${stage}`.trim()] ?? {});
      expect(config['output_dir']).toMatch(/^runs\//);
      for (const [key, value] of Object.entries(official[name] ?? {}).filter(([own]) => !isOwn(own)))
        // The official GQA file says "balanced", its fine-tuning instructions "all".
        if (!(name === 'gqa' && key === 'gqa_split_type'))
          expect(config[key], key).toEqual(typeof config[key] === 'boolean' ? Boolean(value) : value);
    }
  });

  it('two stages of CLEVR are the two official files', async () => {
    const { stages } = await readConfigFile(join(root, 'configs/clevr.json'));
    const [first, second] = stages.map(({ values }) => parseTrainConfig(values));
    expect(filesOf(first!, 'train')).toEqual(['data/clevr_annotations/medium/train.json']);
    expect(filesOf(second!, 'train')).toEqual(['data/clevr_annotations/full/train.json']);
    expect([first!.do_qa, second!.do_qa]).toEqual([false, true]);
  });
});

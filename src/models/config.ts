import * as z from 'zod';
import { MdetrError, quoted } from '../errors.ts';
import { firstIssue } from '../options/first-issue.ts';
import type { ModelConfig, TextEncoderConfig } from './model-config.ts';

/** Boolean; the official code and its JSON files write 1 for true. */
const flag = z.union([z.boolean(), z.literal(0), z.literal(1)]).transform(Boolean);
/** Positive integer. The bounds are far beyond any network; without them a small file could ask for any amount of work. */
const count = (max: number) => z.number().int().positive().max(max);
const MAX_LAYERS = 100;
const MAX_WIDTH = 16_384;
const MAX_FEEDFORWARD = 131_072;
const MAX_HEADS = 512;
const rate = z.number().min(0).max(1);

/** Sizes of a custom text encoder. */
const textEncoderSchema = z.strictObject({
  hidden_size: count(MAX_WIDTH),
  num_hidden_layers: count(MAX_LAYERS),
  num_attention_heads: count(MAX_HEADS),
  intermediate_size: count(MAX_FEEDFORWARD),
  vocab_size: count(2_000_000),
  /** Number of learned positions, of which RoBERTa never uses the first two. */
  max_position_embeddings: count(100_000),
  /** Size of pre-trained word vectors, added to the learned ones through a linear layer. */
  pretrained_size: count(MAX_WIDTH).optional(),
});

/** Group-norm network for small images: a strided stem, then one residual block of stride 2 for each further width. */
const smallBackboneSchema = z.strictObject({
  widths: z.array(count(MAX_WIDTH)).min(2).max(16),
  groups: count(MAX_WIDTH),
});

/** Settings of the network, under the names and with the defaults of the official command line. `own` keys are this package's. @internal */
export const modelConfigSchema = z.object({
  backbone: z.string().default('resnet101').meta({
    description:
      '`resnet18` to `resnet101`, with group norm `resnet50-gn`, `timm_tf_efficientnet_b3_ns` and its relatives.',
  }),
  dilation: flag.default(false).meta({ description: 'Dilates the last stage of a ResNet instead of its stride.' }),
  position_embedding: z.enum(['sine', 'v2', 'learned', 'v3']).default('sine').meta({
    description: 'Position encoding of the image: `sine` or `learned`; `v2` and `v3` are the official aliases.',
  }),
  hidden_dim: count(MAX_WIDTH).default(256).meta({ description: 'Width of the transformer, D.' }),
  nheads: count(MAX_HEADS).default(8).meta({ description: 'Attention heads of the transformer.' }),
  enc_layers: count(MAX_LAYERS).default(6).meta({ description: 'Encoder layers.' }),
  dec_layers: count(MAX_LAYERS).default(6).meta({ description: 'Decoder layers.' }),
  dim_feedforward: count(MAX_FEEDFORWARD).default(2048).meta({ description: 'Width of the feed-forward layers.' }),
  dropout: rate.default(0.1).meta({ description: 'Dropout probability of the transformer; see also `no_dropout`.' }),
  num_queries: count(10_000)
    .default(100)
    .meta({ description: 'Object queries, Q: the maximum number of boxes for a caption.' }),
  pre_norm: flag.default(false).meta({ description: 'Layer norm before each sub-layer instead of after it.' }),
  pass_pos_and_query: flag.default(true).meta({
    description:
      'Passes position and query embeddings to every attention layer, instead of adding them to the inputs once.',
  }),
  text_encoder_type: z.string().default('roberta-base').meta({
    description:
      '`roberta-base`, `roberta-large`, `distilroberta-base`, or any name if `text_encoder` gives the sizes.',
  }),
  aux_loss: flag.default(true).meta({ description: 'Losses on the outputs of every decoder layer.' }),
  contrastive_loss: flag.default(false).meta({ description: 'Contrastive loss between whole images and captions.' }),
  contrastive_loss_hdim: count(MAX_WIDTH)
    .default(64)
    .meta({ description: 'Width of the projections of `contrastive_loss`.' }),
  contrastive_align_loss: flag.default(true).meta({
    description: 'Contrastive alignment loss between queries and caption tokens (section 2.2.2 of the paper).',
  }),
  predict_final: flag
    .default(false)
    .meta({ description: 'Adds a head that predicts which box the caption as a whole refers to.' }),
  no_detection: flag.default(false).meta({ description: 'Answers questions only: no boxes.' }),
  do_qa: flag.default(false).meta({ description: 'Adds question-answering heads.' }),
  split_qa_heads: flag
    .default(false)
    .meta({ description: 'One head for each type of answer, instead of one joint head.' }),
  combine_datasets: z.array(z.string()).max(1000).default([]).meta({
    description:
      'Official training sets by name: `flickr`, `mixed`, `gqa`, `refexp`, `phrasecut`, `modulated_lvis`, `clevr`, `clevrref`, `clevr_question`.',
  }),
  mask_model: z
    .enum(['none', 'smallconv', 'v2'])
    .default('none')
    .meta({ description: 'Segmentation head: `none` or `smallconv`.' }),
  text_encoder: textEncoderSchema
    .optional()
    .meta({ description: 'Sizes of a text encoder that is not a published one.', own: true }),
  small_backbone: smallBackboneSchema.optional().meta({
    description: '`widths` and `groups` of a small group-norm network for small images, instead of `backbone`.',
    own: true,
  }),
  position_temperature: z.number().positive().default(10000).meta({
    description: 'Base of the wavelengths of the sine position encoding; 20 for small feature maps.',
    own: true,
  }),
  decoder_pre_norm: flag.default(false).meta({ description: '`pre_norm` in the decoder too.', own: true }),
  text_in_encoder: flag.default(true).meta({
    description: 'The encoder sees the caption beside the image, as in the paper. If false, only the decoder does.',
    own: true,
  }),
  query_selection: z.enum(['none', 'boxes', 'features', 'proposals']).default('none').meta({
    description:
      "Start of the object queries. `none`: learned, as in the paper. `boxes`: from the boxes that a head on the encoder's output proposes. `features`: also with the features of their positions as contents. `proposals`: from the proposals of a detecting backbone (`nanodet`), with words linked to the image positions where they hold.",
    own: true,
  }),
  box_refinement: flag.default(false).meta({
    description:
      'Every decoder layer corrects the box of the layer before it, whose gradient is stopped. Needs `query_selection`.',
    own: true,
  }),
  selection_suppression: z.number().positive().max(1).default(1).meta({
    description: 'IoU with a better proposal above which a proposal is selected last; 1 disables suppression.',
    own: true,
  }),
  qa_layer: z.enum(['first', 'last']).default('first').meta({
    description:
      'Decoder layer that the question heads read. The official code reads the first; `last` gives better answers.',
    own: true,
  }),
  qa_dataset: z.enum(['gqa', 'clevr']).optional().meta({
    description: 'Answers of the question heads: `gqa` or `clevr`.',
    own: true,
    shown: 'by `combine_datasets`',
  }),
});

export type { ModelConfig, SmallBackboneConfig, TextEncoderConfig } from './model-config.ts';

const PUBLISHED_TEXT_ENCODERS: Readonly<Record<string, TextEncoderConfig>> = {
  'roberta-base': {
    hidden_size: 768,
    num_hidden_layers: 12,
    num_attention_heads: 12,
    intermediate_size: 3072,
    vocab_size: 50265,
    max_position_embeddings: 514,
  },
  'roberta-large': {
    hidden_size: 1024,
    num_hidden_layers: 24,
    num_attention_heads: 16,
    intermediate_size: 4096,
    vocab_size: 50265,
    max_position_embeddings: 514,
  },
  'distilroberta-base': {
    hidden_size: 768,
    num_hidden_layers: 6,
    num_attention_heads: 12,
    intermediate_size: 3072,
    vocab_size: 50265,
    max_position_embeddings: 514,
  },
  // The size of the reference models in this package's tests.
  'tiny-roberta': {
    hidden_size: 96,
    num_hidden_layers: 3,
    num_attention_heads: 4,
    intermediate_size: 192,
    vocab_size: 50265,
    max_position_embeddings: 514,
  },
};

/**
 * Text encoder of a network: its own settings, or those of the named architecture.
 *
 * @throws {MdetrError} for an unknown architecture
 */
export const textEncoderConfig = (config: ModelConfig, source?: string): TextEncoderConfig => {
  const known = config.text_encoder ?? PUBLISHED_TEXT_ENCODERS[config.text_encoder_type];
  if (known === undefined) {
    throw new MdetrError(
      `${source === undefined ? '' : `${source}: `}text_encoder_type ${quoted(config.text_encoder_type)} is unknown: use one of ${Object.keys(PUBLISHED_TEXT_ENCODERS).join(', ')}, or give its sizes as text_encoder`,
    );
  }
  return known;
};

/** Whether the network has an encoder head, by whose boxes it selects the queries. */
export const hasEncoderHead = ({ query_selection: selection }: { readonly query_selection?: unknown }): boolean =>
  selection === 'boxes' || selection === 'features';

/** Dataset of the question heads; undefined without question heads. */
export const qaDataset = (config: ModelConfig): 'gqa' | 'clevr' | undefined =>
  config.do_qa ? (config.qa_dataset ?? (config.combine_datasets.includes('gqa') ? 'gqa' : 'clevr')) : undefined;

/**
 * Parses the network's part of a config: an official JSON file, the `args` of a checkpoint, or the `config.json` of a
 * model folder. Other keys are ignored.
 *
 * @throws {MdetrError} naming the invalid key
 */
export const parseModelConfig = (values: Readonly<Record<string, unknown>>, source = 'config'): ModelConfig => {
  // Official files write None, JSON's null, for unset arguments.
  const given = Object.fromEntries(Object.entries(values).filter(([, value]) => value !== null && value !== undefined));
  const parsed = modelConfigSchema.safeParse(given);
  if (!parsed.success) {
    const { field, predicate } = firstIssue(parsed.error);
    throw new MdetrError(`${source}: "${field}" ${predicate}`);
  }
  const config = parsed.data;
  const refuse = (problem: string): never => {
    throw new MdetrError(`${source}: ${problem}`);
  };
  if (config.hidden_dim % config.nheads !== 0)
    refuse(`hidden_dim ${config.hidden_dim} is not a multiple of nheads ${config.nheads}`);
  if (config.hidden_dim % 4 !== 0)
    refuse(`hidden_dim ${config.hidden_dim} is not a multiple of 4, as sine positions require`);
  if (config.mask_model === 'v2')
    refuse('mask_model "v2" has no implementation, not even in the official code: use "smallconv"');
  if (config.query_selection === 'none' && config.box_refinement)
    refuse('box_refinement refines selected boxes: set query_selection to "boxes" or "features"');
  if (config.query_selection !== 'none') {
    if (!config.pass_pos_and_query) refuse('query_selection needs pass_pos_and_query, since positions change by layer');
    if (!config.text_in_encoder) refuse('query_selection needs words in the encoder, and text_in_encoder is false');
    if (config.no_detection) refuse('query_selection selects boxes, and no_detection predicts none');
  }
  if (config.do_qa && !config.split_qa_heads && qaDataset(config) !== 'gqa')
    refuse('only gqa has a joint answer head: set split_qa_heads');
  textEncoderConfig(config, source);
  return config;
};

/** Keys of the network's config. */
export const modelConfigKeys: readonly string[] = Object.keys(modelConfigSchema.shape);

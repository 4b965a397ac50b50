import { IMAGENET_MEAN, IMAGENET_STD } from '../data/sampling/collate.ts';
import { MdetrError } from '../errors.ts';
import { preprocessingJson, type Preprocessing } from '../model-folder/preprocessing.ts';

type JsonObject = Readonly<Record<string, unknown>>;

/** Tokens of RoBERTa that are not parts of words; `<mask>` takes the space before it. */
const SPECIAL_TOKENS = ['<s>', '<pad>', '</s>', '<unk>', '<mask>'] as const;

/** Builds the `tokenizer.json` of RoBERTa's vocabulary from its parsed `vocab.json` and the text of `merges.txt`. */
export const robertaTokenizerJson = (vocab: unknown, merges: string): JsonObject => {
  const ids = vocab as Readonly<Record<string, number>>;
  const lines = merges.split(/\r?\n/);
  return {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: SPECIAL_TOKENS.filter((content) => ids[content] !== undefined).map((content) => ({
      id: ids[content],
      content,
      single_word: false,
      lstrip: content === '<mask>',
      rstrip: false,
      normalized: false,
      special: true,
    })),
    normalizer: null,
    pre_tokenizer: { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true },
    post_processor: {
      type: 'RobertaProcessing',
      sep: ['</s>', ids['</s>']],
      cls: ['<s>', ids['<s>']],
      trim_offsets: true,
      add_prefix_space: false,
    },
    decoder: { type: 'ByteLevel', add_prefix_space: true, trim_offsets: true, use_regex: true },
    model: {
      type: 'BPE',
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: '',
      end_of_word_suffix: '',
      fuse_unk: false,
      byte_fallback: false,
      vocab: ids,
      merges: lines.filter((line, index) => line !== '' && !(index === 0 && line.startsWith('#version'))),
    },
  };
};

/**
 * Rewrites a `tokenizer.json` for libraries that lack the WordLevel model, such as transformers.js. A WordPiece model whose
 * vocabulary has no word parts is the same: it finds whole words or nothing.
 *
 * @throws {MdetrError} for a word that begins with `##`, which WordPiece would take for a part of one
 */
export const portableTokenizerJson = (tokenizer: JsonObject, where: string): JsonObject => {
  const model = tokenizer['model'] as JsonObject;
  if (model['type'] !== 'WordLevel') return tokenizer;
  const vocab = model['vocab'] as Readonly<Record<string, number>>;
  const part = Object.keys(vocab).find((word) => word.startsWith(WORD_PART_PREFIX));
  if (part !== undefined)
    throw new MdetrError(
      `${where}: the word ${JSON.stringify(part.slice(0, 60))} cannot be exported for the hub, where ## marks parts of words`,
    );
  return {
    ...tokenizer,
    model: {
      type: 'WordPiece',
      unk_token: model['unk_token'] ?? '<unk>',
      continuing_subword_prefix: WORD_PART_PREFIX,
      max_input_chars_per_word: 100,
      vocab,
    },
  };
};

const WORD_PART_PREFIX = '##';

/** Contents of a `tokenizer_config.json`, which Hugging Face's libraries need beside `tokenizer.json`. */
export const tokenizerConfig = (maxTokens: number): JsonObject => ({
  tokenizer_class: 'PreTrainedTokenizerFast',
  bos_token: '<s>',
  eos_token: '</s>',
  unk_token: '<unk>',
  pad_token: '<pad>',
  cls_token: '<s>',
  sep_token: '</s>',
  model_max_length: maxTokens,
  model_input_names: ['input_ids', 'attention_mask'],
  padding_side: 'right',
  truncation_side: 'right',
});

/** Contents of a `preprocessor_config.json` with everything that other libraries need to prepare images. */
export const hubPreprocessing = (preprocessing: Preprocessing): JsonObject => ({
  image_processor_type: 'DetrImageProcessor',
  feature_extractor_type: 'DetrFeatureExtractor',
  do_resize: true,
  ...preprocessingJson(preprocessing),
  resample: 2,
  do_rescale: true,
  rescale_factor: 1 / 255,
  do_normalize: true,
  image_mean: [...IMAGENET_MEAN],
  image_std: [...IMAGENET_STD],
  do_pad: true,
});

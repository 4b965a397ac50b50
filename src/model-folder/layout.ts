/** File names of a model folder: the layout that the Hugging Face hub expects. */
export const MODEL_FILE_NAMES = {
  config: 'config.json',
  weights: 'model.safetensors',
  preprocessing: 'preprocessor_config.json',
  answers: 'answers.json',
  words: 'words.json',
  quantization: 'quantization.json',
  card: 'README.md',
} as const;

/** Names under which the hub stores weights; the first that exists counts. Large ones are sharded, with an index. */
export const WEIGHT_FILE_NAMES: readonly string[] = [
  MODEL_FILE_NAMES.weights,
  'model.safetensors.index.json',
  'pytorch_model.bin',
  'pytorch_model.bin.index.json',
];

/** Key under which a `.pth` (in `args`) or `.safetensors` (in its metadata) carries the folder's preprocessing. */
export const PREPROCESSING_KEY = 'preprocessor_config';

/** A vocabulary is the first of these groups of files that exists. */
export const TOKENIZER_FILE_NAMES: readonly (readonly string[])[] = [['tokenizer.json'], ['vocab.json', 'merges.txt']];

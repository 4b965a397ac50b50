/** File names of a model folder: the layout that the Hugging Face hub expects. */
export const MODEL_FILE_NAMES = {
  config: 'config.json',
  weights: 'model.safetensors',
  preprocessing: 'preprocessor_config.json',
  answers: 'answers.json',
  card: 'README.md',
} as const;

/** A vocabulary is the first of these groups of files that exists. */
export const TOKENIZER_FILE_NAMES: readonly (readonly string[])[] = [['tokenizer.json'], ['vocab.json', 'merges.txt']];

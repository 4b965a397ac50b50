/**
 * Writes everything of the embedded default model that is not learned: configuration, vocabulary, preprocessing and the
 * model card of the untrained network. Run it after the scenes' vocabulary has changed, before training.
 *
 *     npx tsx scripts/make-default-model.ts [FOLDER]
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { SCENE_VOCABULARY } from '../src/data/scenes/vocabulary.ts';
import { buildWordLevelTokenizerJson } from '../src/text/index.ts';

const specialTokens = 4;

const config = {
  notice:
    'the embedded default model is not trained yet: it shows that everything runs, and its boxes, masks and answers mean nothing',
  init_seed: 1,
  backbone: 'small_convnet',
  small_backbone: { widths: [24, 48, 96, 160], groups: 8 },
  position_embedding: 'sine',
  position_temperature: 20,
  hidden_dim: 128,
  nheads: 8,
  enc_layers: 3,
  dec_layers: 3,
  dim_feedforward: 256,
  dropout: 0,
  num_queries: 14,
  pre_norm: true,
  decoder_pre_norm: true,
  text_encoder_type: 'scenes',
  text_encoder: {
    hidden_size: 128,
    num_hidden_layers: 2,
    num_attention_heads: 4,
    intermediate_size: 256,
    vocab_size: SCENE_VOCABULARY.length + specialTokens,
    max_position_embeddings: 40,
  },
  aux_loss: true,
  contrastive_align_loss: true,
  predict_final: true,
  do_qa: true,
  split_qa_heads: true,
  qa_dataset: 'clevr',
  qa_layer: 'last',
  mask_model: 'smallconv',
};

const card = `# default: MDETR for procedural scenes (not trained yet)

A small MDETR that is made for the procedural scenes of \`mdetr scenes\`: shapes on a grey ground, in the style of CLEVR.

**There are no trained weights yet.** The network is built from the seed in \`config.json\` (\`init_seed\`) whenever it is
used, so its boxes, masks and answers mean nothing. It exists so that every command runs without a download.

| | |
|---|---|
| Data | none yet |
| Command | none yet; these files are written by \`npx tsx scripts/make-default-model.ts\` |
| Seed | ${config.init_seed} |
| Metrics | none yet |
| Vocabulary | the ${SCENE_VOCABULARY.length} words of the scenes' texts (\`tokenizer.json\`); any other word is read as unknown |
| Picture size | shorter side 128, longer side at most 192 pixels |
`;

const folder = process.argv[2] ?? fileURLToPath(new URL('../models/default', import.meta.url));
const files: Readonly<Record<string, unknown>> = {
  'config.json': config,
  'tokenizer.json': buildWordLevelTokenizerJson(SCENE_VOCABULARY),
  'preprocessor_config.json': { size: { shortest_edge: 128, longest_edge: 192 } },
};
await mkdir(folder, { recursive: true });
for (const [name, content] of Object.entries(files))
  await writeFile(join(folder, name), `${JSON.stringify(content, undefined, 2)}\n`);
await writeFile(join(folder, 'README.md'), card);

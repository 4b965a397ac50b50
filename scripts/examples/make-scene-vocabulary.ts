/**
 * Writes the vocabulary of the scenes' texts for the embedded default model. Run it after the words have changed, and
 * retrain the model, because its embeddings depend on the token ids.
 *
 *     npm run examples:vocabulary
 */
import { writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { SCENE_VOCABULARY } from '../../src/scenes/language/vocabulary.ts';
import { buildWordLevelTokenizerJson } from '../../src/text/index.ts';

const path = fileURLToPath(new URL('../../models/default/tokenizer.json', import.meta.url));
await writeFile(path, `${JSON.stringify(buildWordLevelTokenizerJson(SCENE_VOCABULARY), undefined, 2)}\n`);

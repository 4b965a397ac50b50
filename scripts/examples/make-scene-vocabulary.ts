/**
 * Writes the vocabulary of the scenes' texts for the embedded default model. Run it after their words have changed, and
 * train the model anew: token numbers are part of what it learned.
 *
 *     npm run examples:vocabulary
 */
import { writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { SCENE_VOCABULARY } from '../../src/scenes/language/vocabulary.ts';
import { buildWordLevelTokenizerJson } from '../../src/text/index.ts';

const path = fileURLToPath(new URL('../../models/default/tokenizer.json', import.meta.url));
await writeFile(path, `${JSON.stringify(buildWordLevelTokenizerJson(SCENE_VOCABULARY), undefined, 2)}\n`);

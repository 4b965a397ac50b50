/**
 * Writes the word-level vocabulary of the scenes' plain texts, which small runs, tests and the ablations use. The default
 * model has that of `npm run words`.
 *
 *     npm run examples:vocabulary
 */
import { writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { SCENE_VOCABULARY } from '../../src/scenes/language/vocabulary.ts';
import { buildWordLevelTokenizerJson } from '../../src/text/index.ts';

const path = fileURLToPath(new URL('../../configs/scenes/plain-words/tokenizer.json', import.meta.url));
await writeFile(path, `${JSON.stringify(buildWordLevelTokenizerJson(SCENE_VOCABULARY), undefined, 2)}\n`);

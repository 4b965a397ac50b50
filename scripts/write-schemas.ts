/**
 * Writes the published JSON Schemas from their sources:
 *
 *     npm run schemas
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { resultsJsonSchema } from '../src/results/schema.ts';

const folder = new URL('../schemas/', import.meta.url);
mkdirSync(folder, { recursive: true });
writeFileSync(new URL('results.schema.json', folder), `${JSON.stringify(resultsJsonSchema(), undefined, 2)}\n`);

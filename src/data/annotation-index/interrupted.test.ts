import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { AnnotationIndex } from './annotation-index.ts';
import { openIndexFile } from './index-file.ts';

const ROWS = 60_000;
const CHUNK_BYTES = 64 * 1024;
const program = fileURLToPath(new URL('../../../test/support/index-with-progress.ts', import.meta.url));
let folder: string;
let path: string;
let steps: number;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'mdetr-kill-'));
  path = join(folder, 'a.json');
  // Ids that fall: the indexer has to sort, so that there is something to interrupt after the scan as well.
  const images = Array.from({ length: ROWS }, (_, i) => ({ id: ROWS - i, caption: 'a text of some length'.repeat(4) }));
  const annotations = Array.from({ length: ROWS }, (_, i) => ({ image_id: (i * 17) % ROWS, bbox: [1, 2, 3, 4] }));
  const json = JSON.stringify({ images, annotations });
  writeFileSync(path, json);
  steps = Math.ceil(json.length / CHUNK_BYTES);
});
afterAll(() => rmSync(folder, { recursive: true }));

/** Runs the indexer and kills it `delayMs` after it has made `step` steps; true when it came to its end before. */
const killAt = (step: number, delayMs: number): Promise<boolean> =>
  new Promise((resolve, reject) => {
    const child = spawn(process.execPath, ['--import', 'tsx', program, path, String(CHUNK_BYTES)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let told = '';
    child.stdout.on('data', (data: Buffer) => {
      const before = told.length;
      told += data.toString();
      if (before < step && told.length >= step) setTimeout(() => child.kill('SIGKILL'), delayMs);
    });
    child.on('error', reject);
    child.on('close', () => resolve(told.endsWith('done')));
  });

describe('an indexer that is killed', () => {
  it('leaves no index that could be mistaken for a complete one, at whichever step', async () => {
    const indexFile = `${path}.mdetr-index`;
    const points = [1, 0.3, 0.7].map((share): [step: number, delayMs: number] => [Math.ceil(share * steps), 0]);
    // Behind the last chunk come sorting, joining, syncing and renaming: try several moments there.
    for (const delayMs of [0, 10, 25, 50, 100]) points.push([steps, delayMs]);
    let killed = 0;
    for (const [step, delayMs] of points) {
      const finished = await killAt(step, delayMs);
      if (!finished) killed++;
      const opened = openIndexFile(indexFile);
      if (!finished && opened === undefined) expect(existsSync(indexFile)).toBe(false);
      // One that is there under its name must be whole, even when the process was killed right after.
      if (opened !== undefined) {
        const index = AnnotationIndex.open(path);
        expect([index.length, index.annotationCount]).toEqual([ROWS, ROWS - 1]);
        expect(index.row(ROWS - 1)).toMatchObject({ image: { id: ROWS }, annotations: [] });
        expect(index.row(16)).toMatchObject({ image: { id: 17 }, annotations: [{ image_id: 17 }] });
        index.close();
        rmSync(indexFile);
      }
    }
    expect(killed).toBeGreaterThanOrEqual(3);
    AnnotationIndex.open(path).close();
    expect(readdirSync(folder).sort()).toEqual(['a.json', 'a.json.mdetr-index']);
  });
});

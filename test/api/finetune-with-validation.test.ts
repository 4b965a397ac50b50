import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, it } from 'vitest';

const script = fileURLToPath(new URL('finetune-with-validation.mjs', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'mdetr-finetune-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

it('a script of at most 30 lines fine-tunes with validation and uses the best model', () => {
  expect(readFileSync(script, 'utf8').trim().split('\n').length).toBeLessThanOrEqual(30);
  const out = join(folder, 'run');
  const root = fileURLToPath(new URL('../..', import.meta.url));
  const output = execFileSync(process.execPath, [script, out, '2'], { cwd: root, encoding: 'utf8' });
  const { validations, detections } = JSON.parse(output) as { validations: number; detections: number };
  expect(validations).toBeGreaterThanOrEqual(1);
  expect(detections).toBeGreaterThan(0);
  expect(existsSync(join(out, 'best/model.safetensors'))).toBe(true);
});

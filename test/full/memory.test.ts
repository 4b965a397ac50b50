import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { sharedReference } from '../support/reference-case.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const checkpoint = join(sharedReference, 'checkpoints', 'tiny.pth');

const cycles = 24;

/** Loads, runs and disposes again and again in a process of its own; prints the resident memory after each, in MB. */
const script = `
import { setImmediate } from 'node:timers/promises';
import { MDETR } from ${JSON.stringify(join(root, 'dist/index.js'))};
const options = { tokenizer: ${JSON.stringify(join(root, 'test/fixtures/reference/roberta'))}, threads: 1 };
for (let cycle = 0; cycle < ${cycles}; cycle++) {
  const model = await MDETR.fromPretrained(${JSON.stringify(checkpoint)}, options);
  await model.detect(${JSON.stringify(join(root, 'examples/scene.png'))}, 'a small red cube');
  await model.dispose();
  // Arrays that one collection lets go of are freed by the next turn's.
  for (let turn = 0; turn < 2; turn++) {
    globalThis.gc();
    await setImmediate();
  }
  console.log(Math.round(process.memoryUsage().rss / 2 ** 20));
}`;

/**
 * What glibc keeps of freed memory depends on what was freed before: it raises both limits with the largest piece so far,
 * up to 32 and 64 MB, which makes a process that holds 200 MB show 200 to 350. Fixed limits show what is really held.
 */
const fixedLimits = { MALLOC_MMAP_THRESHOLD_: '131072', MALLOC_TRIM_THRESHOLD_: '131072' };

const median = (numbers: readonly number[]): number =>
  numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)]!;

describe('memory', () => {
  it.skipIf(!existsSync(checkpoint))(
    'does not grow while a model is loaded and disposed 24 times (needs ../shared/reference)',
    () => {
      const output = execFileSync(process.execPath, ['--expose-gc', '--input-type=module', '-e', script], {
        encoding: 'utf8',
        env: { ...process.env, ...fixedLimits },
      });
      const sizes = output.trim().split('\n').map(Number);
      expect(sizes).toHaveLength(cycles);
      // The first cycles load code and open what stays open. Medians of eight differ by a few MB, and 13 cycles lie
      // between them: a leak of 1.6 MB a cycle shows, and one model's weights are many times that.
      const [early, late] = [median(sizes.slice(3, 11)), median(sizes.slice(-8))];
      expect(late, `MB after each cycle: ${sizes.join(', ')}`).toBeLessThanOrEqual(early * 1.1);
    },
    300_000,
  );
});

import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { sharedReference } from '../reference-case.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const checkpoint = join(sharedReference, 'checkpoints', 'tiny.pth');

/** Loads, runs and disposes ten times in a process of its own; prints the resident memory after each, in MB. */
const script = `
import { MDETR } from ${JSON.stringify(join(root, 'dist/index.js'))};
const options = { tokenizer: ${JSON.stringify(join(root, 'test/fixtures/reference/roberta'))}, threads: 1 };
for (let cycle = 0; cycle < 10; cycle++) {
  const model = await MDETR.fromPretrained(${JSON.stringify(checkpoint)}, options);
  await model.detect(${JSON.stringify(join(root, 'examples/scene.png'))}, 'a small red cube');
  await model.dispose();
  globalThis.gc();
  console.log(Math.round(process.memoryUsage().rss / 2 ** 20));
}`;

describe('memory', () => {
  it.skipIf(!existsSync(checkpoint))(
    'ends ten load-and-dispose cycles within 10 % of the second (needs ../shared/reference)',
    () => {
      const output = execFileSync(process.execPath, ['--expose-gc', '--input-type=module', '-e', script], {
        encoding: 'utf8',
      });
      const sizes = output.trim().split('\n').map(Number);
      expect(sizes).toHaveLength(10);
      // The allocator keeps more or less of what was freed from one cycle to the next: the least of the last three counts.
      expect(Math.min(...sizes.slice(-3)), `MB after each cycle: ${sizes.join(', ')}`).toBeLessThanOrEqual(
        sizes[1]! * 1.1,
      );
    },
    300_000,
  );
});

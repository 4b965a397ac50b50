import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** Child process: 500 training steps on images and captions of varying sizes. Prints the resident memory in MB. */
const script = `
import { Training } from ${JSON.stringify(join(root, 'dist/index.js'))};
const training = await Training.open({
  small_backbone: { widths: [8, 8, 16, 16], groups: 4 },
  ...{ hidden_dim: 16, nheads: 2, enc_layers: 1, dec_layers: 2, dim_feedforward: 32, num_queries: 8 },
  text_encoder_type: 'scenes',
  text_encoder: { hidden_size: 16, num_hidden_layers: 1, num_attention_heads: 2, intermediate_size: 32, vocab_size: 115, max_position_embeddings: 40 },
  ...{ tokenizer: ${JSON.stringify(join(root, 'configs/scenes/plain-words'))}, max_steps: 500, ema: true, threads: 1 },
  image_size: { shortest_edge: 512, longest_edge: 1024 },
});
const words = 'a small red rubber cube and a large blue metal ball behind the tiny green cylinder left of it'.split(' ');
for (let step = 0; step < 500; step++) {
  const sample = (k) => {
    // Combinations of size, caption and number of boxes repeat only after many steps.
    const [width, height] = [512 + 16 * ((7 * step + 3 * k) % 11), 512 + 16 * ((5 * step + k) % 7)];
    const caption = words.slice(0, 3 + ((step + k) % 15)).join(' ');
    const boxes = Array.from({ length: (step + k) % 5 }, (_, n) => ({ box: [10 * n, 5, 10 * n + 40, 60], spans: [{ start: 0, end: 5 }] }));
    return { image: { width, height, channels: 1, data: new Uint8Array(width * height).fill(step % 256) }, caption, boxes };
  };
  await training.step(await training.batchOf([sample(0), sample(1)]));
  if (step === 99 || step === 299 || step === 499) {
    globalThis.gc();
    await new Promise((resolve) => setTimeout(resolve, 50));
    globalThis.gc();
    console.log(Math.round(process.memoryUsage().rss / 2 ** 20));
  }
}
await training.dispose();`;

describe('memory of a training run', () => {
  it('does not grow over 500 steps with varying image sizes', () => {
    const output = execFileSync(process.execPath, ['--expose-gc', '--input-type=module', '-e', script], {
      encoding: 'utf8',
    });
    const [early, middle, late] = output.trim().split('\n').map(Number) as [number, number, number];
    // The memory that the allocator keeps varies. A leak of one batch per step would be a gigabyte.
    expect(late, `MB after 100, 300 and 500 steps: ${early}, ${middle}, ${late}`).toBeLessThanOrEqual(early * 1.1 + 20);
  }, 600_000);
});

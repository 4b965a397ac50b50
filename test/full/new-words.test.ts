import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { runTraining } from '../../src/entries/train.ts';
import { iouXyxy } from '../../src/geometry/box-overlap.ts';
import { MDETR } from '../../src/inference/node/mdetr.ts';
import { readWordRecord } from '../../src/model-folder/node/known-words.ts';
import { drawThings, NEW_NOUNS, writeThings } from '../support/drawn-things.ts';

/** Steps of the fine-tuning, of 8 captions each. */
const STEPS = 900;
const TRAINING_IMAGES = 60;
const HELD_OUT_IMAGES = 60;

let root: string;
beforeAll(() => (root = mkdtempSync(join(tmpdir(), 'mdetr-new-words-'))));
afterAll(() => rmSync(root, { recursive: true, force: true }));

it('the shipped model learns three nouns that it has never seen, and tells them apart', async () => {
  const data = await writeThings(join(root, 'data'), 1, TRAINING_IMAGES);
  const run = join(root, 'run');
  const began = performance.now();
  const notes: string[] = [];
  await runTraining(
    {
      load: 'default',
      output_dir: run,
      datasets: [data],
      augmentation: 'none',
      mask_model: 'none',
      do_qa: false,
      positive_map: 'normalized',
      eos_coef: 0.25,
      batch_size: 8,
      max_steps: STEPS,
      optimizer: 'adamw',
      lr: 1.6e-3,
      lr_backbone: 1.6e-3,
      text_encoder_lr: 1.6e-3,
      schedule: 'all_cosine_with_warmup',
      fraction_warmup_steps: 0.05,
      adjust_lr: 'before_step',
      ema: true,
      ema_decay: 0.98,
      log_every: 100,
      // Sums of several threads are rounded in another order from machine to machine.
      threads: 1,
    },
    { observer: { onNote: (text) => notes.push(text) } },
  );
  const minutes = (performance.now() - began) / 60_000;
  expect(notes).toContainEqual(expect.stringContaining('new to the model and will be learned: blicket, dax, wug'));
  expect((await readWordRecord(join(run, 'last')))?.learned).toEqual([...NEW_NOUNS].sort());

  const model = await MDETR.fromPretrained(join(run, 'last'));
  let found = 0;
  let confused = 0;
  for (let index = 0; index < HELD_OUT_IMAGES; index++) {
    const { data: pixels, width, height, things } = drawThings(2, index);
    const image = { data: pixels, width, height, channels: 3 as const };
    for (const noun of NEW_NOUNS) {
      const { detections } = await model.detect(image, `the ${noun}`, { threshold: 0 });
      const best = detections.reduce((a, b) => (b.score > a.score ? b : a));
      for (const { noun: drawn, box } of things) {
        const [x, y, w, h] = box;
        if (iouXyxy(best.box, 0, [x, y, x + w, y + h], 0) < 0.5) continue;
        if (drawn === noun) found++;
        else confused++;
      }
    }
  }
  await model.dispose();
  const phrases = HELD_OUT_IMAGES * NEW_NOUNS.length;
  process.stdout.write(
    `three new nouns: ${STEPS} steps in ${minutes.toFixed(1)} minutes, Recall@1 ${(found / phrases).toFixed(3)}, ` +
      `another noun's thing ${(confused / phrases).toFixed(3)} (${phrases} phrases)\n`,
  );
  expect(found / phrases).toBeGreaterThanOrEqual(0.9);
  expect(confused / phrases).toBeLessThanOrEqual(0.05);
}, 900_000);

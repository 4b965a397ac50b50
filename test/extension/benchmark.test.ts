import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, it, vi } from 'vitest';
import * as z from 'zod';
import { annotationBenchmark } from '../../src/benchmarks/annotation-benchmark.ts';
import { integerOption } from '../../src/benchmarks/benchmark-options.ts';
import { registerBenchmark, validationTasks } from '../../src/benchmarks/registry.ts';
import { evaluateCommand } from '../../src/cli/commands/evaluate.ts';
import { parseTrainConfig } from '../../src/train/config/config.ts';

/** A benchmark that is not part of the package: the number of objects in each image. */
const counting = annotationBenchmark({
  name: 'counting',
  description: 'number of objects in an image',
  annotations: 'annotation file in the official format',
  options: {
    tolerance: integerOption({ flag: '--tolerance <n>', description: 'accepted difference (default: 0)' }, 0, 0),
  },
  predictions: { name: 'counting', schema: z.object({ image_id: z.number(), count: z.number().int() }) },
  metrics: [{ id: 'count_accuracy', title: 'count accuracy', description: 'fraction of correct counts' }],
  bestMetric: () => 'count_accuracy',
  validation: { datasets: [] },
  open(rows, { settings }) {
    const counts = new Map(Array.from(rows, ({ image, annotations }) => [image.id, annotations.length]));
    let correct = 0;
    return {
      columns: [
        {
          title: 'counting',
          evaluator: {
            add({ image_id, count }) {
              const isCorrect = Math.abs(counts.get(image_id)! - count) <= settings.tolerance;
              correct += Number(isCorrect);
              return Number(isCorrect);
            },
            summarize: () => ({ 'count accuracy': correct / counts.size }),
            warnings: [],
          },
        },
      ],
      predict: (_model, row, outputs, index) => ({
        image_id: row.image.id,
        count: outputs.detection(index).boxes.length / 4,
      }),
      keyOf: ({ image }) => String(image.id),
      keyOfPrediction: ({ image_id }) => String(image_id),
      boxesOf: () => [],
    };
  },
});

const folder = mkdtempSync(join(tmpdir(), 'mdetr-extension-'));
const unregister = registerBenchmark(counting);
afterAll(() => {
  unregister();
  rmSync(folder, { recursive: true, force: true });
});
let stdout = '';
beforeAll(() => {
  vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    stdout += String(text);
    return true;
  });
});
afterEach(() => (stdout = ''));
afterAll(() => void vi.restoreAllMocks());

const evaluate = (...args: readonly string[]) => evaluateCommand().parseAsync(args, { from: 'user' });

it('a registered benchmark is listed, with its options in the help', async () => {
  await evaluate('--list');
  expect(stdout).toMatch(/^counting +number of objects in an image\n.*needs --annotations FILE, --images DIR$/m);
  expect(evaluateCommand().helpInformation()).toMatch(/--tolerance <n> +counting: accepted difference/);
});

it('it evaluates saved predictions, with options of the command line or of a config', async () => {
  const annotations = join(folder, 'annotations.json');
  const predictions = join(folder, 'predictions.jsonl');
  const config = join(folder, 'config.json');
  const box = { iscrowd: 0, category_id: 1, bbox: [0, 0, 5, 5], area: 25, tokens_positive: [[0, 1]] };
  const images = [1, 2].map((id) => ({ id, file_name: `${id}.png`, width: 10, height: 10, caption: 'a cube' }));
  writeFileSync(
    annotations,
    JSON.stringify({ images, annotations: images.map(({ id }) => ({ ...box, id, image_id: id })) }),
  );
  const lines = [{ mdetr_predictions: 'counting' }, { image_id: 1, count: 1 }, { image_id: 2, count: 2 }];
  writeFileSync(predictions, lines.map((line) => JSON.stringify(line)).join('\n'));
  writeFileSync(config, JSON.stringify({ evaluate: { task: 'counting', annotations, images: folder, tolerance: 1 } }));
  const json = join(folder, 'metrics.json');
  await evaluate(config, '--predictions', predictions);
  expect(stdout).toMatch(/^count accuracy +1\.0000$/m);
  await evaluate(config, '--predictions', predictions, '--tolerance', '0', '--json', json);
  expect(JSON.parse(readFileSync(json, 'utf8'))).toEqual({
    results: [{ title: 'counting', count: 2, metrics: { 'count accuracy': 0.5 } }],
  });
});

it('it can measure validation sets', () => {
  expect(validationTasks()).toContain('counting');
  const dataset = { annotations: 'a.json', images: '.', task: 'counting' };
  expect(parseTrainConfig({ datasets_val: [dataset] }).datasets_val).toMatchObject([{ task: 'counting' }]);
  expect(() => parseTrainConfig({ datasets_val: [{ ...dataset, task: 'none' }] })).toThrow(/must be one of refexp/);
});

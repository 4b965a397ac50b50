import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it, vi } from 'vitest';
import { smallDataset, smallValues } from '../../test/small-run.ts';
import { MdetrError } from '../errors.ts';
import { createRuntime } from '../runtime/create-runtime.ts';
import { parseTrainConfig, type TrainConfig } from '../train/config.ts';
import { runTraining, type RunSummary } from '../train/training-run.ts';
import { validatorFor } from './training-validation.ts';

// Seconds where nothing else is going on.
vi.setConfig({ testTimeout: 300_000 });

const root = mkdtempSync(join(tmpdir(), 'mdetr-validation-'));
const runtime = await createRuntime({ threads: 1 });
afterAll(() => rmSync(root, { recursive: true, force: true }));

const train = (config: TrainConfig): Promise<RunSummary> =>
  runTraining(config, {
    runtime,
    validate: validatorFor(config, { onProgress: () => undefined, onNote: () => undefined }),
  });

/** The numbers of the last validation of a run. */
const validationOf = (config: TrainConfig): Record<string, number> => {
  const lines = readFileSync(join(config.output_dir, 'log.jsonl'), 'utf8').trim().split('\n');
  const entries = lines.map((line) => JSON.parse(line) as { kind: string; metrics?: Record<string, number> });
  return entries.findLast(({ kind }) => kind === 'validation')!.metrics!;
};

describe('configs/clevr_humans.json', () => {
  const shipped = JSON.parse(
    readFileSync(fileURLToPath(new URL('../../configs/clevr_humans.json', import.meta.url)), 'utf8'),
  ) as Record<string, string>;

  /** CLEVR-Humans' own files and CLEVR's pictures, where the config looks for them below `folder`. */
  const lay = async (folder: string, spoil: (questions: Record<string, unknown>[]) => void = () => undefined) => {
    const files = join(folder, shipped['clevr_ann_path']!);
    const pictures = join(folder, shipped['clevr_img_path']!);
    mkdirSync(files, { recursive: true });
    mkdirSync(pictures, { recursive: true });
    for (const part of ['train', 'val']) {
      const { images, annotations } = await smallDataset(join(folder, part), 4, { kind: 'question' });
      renameSync(images, join(pictures, part));
      const questions: Record<string, unknown>[] = annotations.images.map(({ file_name, caption, answer }, index) => ({
        ...{ image_filename: file_name, question: caption, answer },
        ...{ split: part, image_index: index, image: file_name.replace('.png', '') },
      }));
      if (part === 'train') spoil(questions);
      writeFileSync(join(files, `CLEVR-Humans-${part}.json`), JSON.stringify({ info: {}, questions }));
    }
  };

  /** The config as it is, but with a small network, few steps, and everything below `folder`. */
  const configIn = (folder: string, more: Readonly<Record<string, unknown>> = {}): TrainConfig => {
    const { evaluate: _, load: __, ...values } = shipped;
    const paths = ['output_dir', 'clevr_ann_path', 'clevr_img_path'].map((key) => [key, join(folder, shipped[key]!)]);
    return parseTrainConfig({
      ...{ ...values, ...smallValues, datasets: [], position_temperature: 10_000 },
      ...{ augmentation: 'none', max_steps: 2, ...Object.fromEntries(paths) },
      ...more,
    });
  };

  it("trains and validates on CLEVR-Humans' own question files", async () => {
    const folder = join(root, 'humans');
    await lay(folder);
    const config = configIn(folder);
    const { steps, best } = await train(config);
    expect(steps).toBe(2);
    const metrics = validationOf(config);
    expect(Object.keys(metrics)).toContain('clevr_question/accuracy');
    expect(metrics['clevr_question/accuracy']).toBe(best?.metric);
    expect(Object.keys(metrics).filter((name) => name.includes('bbox'))).toEqual([]);
  });

  it('names file, row and field of a question that cannot be used, or leaves it out', async () => {
    const folder = join(root, 'bad');
    await lay(folder, ([, second]) => (second!['answer'] = undefined));
    const wrong = await train(configIn(folder)).catch((error: unknown) => error as Error);
    expect(wrong).toBeInstanceOf(MdetrError);
    expect((wrong as Error).message).toMatch(/CLEVR-Humans-train\.json: row 1 \(image id 1\): answer: is missing/);
    const { skippedRows } = await train(configIn(folder, { on_bad_row: 'skip', output_dir: join(folder, 'again') }));
    expect(skippedRows).toBeGreaterThan(0);
  });

  it('needs a network that answers and detects nothing, as the files have no boxes', async () => {
    const folder = join(root, 'boxes');
    await lay(folder);
    const detecting = configIn(folder, { no_detection: false });
    await expect(train(detecting)).rejects.toThrow(
      /CLEVR-Humans-train\.json: has questions without boxes: .*no_detection/,
    );
    const own = { annotations: join(folder, shipped['clevr_ann_path']!, 'CLEVR-Humans-train.json') };
    const images = join(folder, shipped['clevr_img_path']!, 'train');
    const silent = configIn(folder, {
      ...{ do_qa: false, split_qa_heads: false, no_detection: false },
      ...{ datasets: [{ ...own, images }], output_dir: join(folder, 'silent') },
    });
    await expect(train(silent)).rejects.toThrow(/has questions without boxes: .*do_qa/);
  });
});

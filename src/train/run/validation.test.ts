import { cpSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { smallDataset, smallValues } from '../../../test/support/small-run.ts';
import { MdetrError } from '../../errors.ts';
import { createRuntime } from '../../engine/runtime/create-runtime.ts';
import { parseTrainConfig, type TrainConfig } from '../config/config.ts';
import type { RunSummary } from './run-observer.ts';
import { trainProcess } from './training-run.ts';
import { validatorFor } from './validation.ts';

// Seconds where nothing else is going on.
vi.setConfig({ testTimeout: 300_000 });

const root = mkdtempSync(join(tmpdir(), 'mdetr-validation-'));
const runtime = await createRuntime({ threads: 1 });
afterAll(() => rmSync(root, { recursive: true, force: true }));

const train = (config: TrainConfig): Promise<RunSummary> =>
  trainProcess(config, {
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
    readFileSync(fileURLToPath(new URL('../../../configs/clevr_humans.json', import.meta.url)), 'utf8'),
  ) as Record<string, string>;

  /** CLEVR-Humans' own files and CLEVR's images, where the config looks for them below `folder`. */
  const lay = async (folder: string, spoil: (questions: Record<string, unknown>[]) => void = () => undefined) => {
    const files = join(folder, shipped['clevr_ann_path']!);
    const imageFolder = join(folder, shipped['clevr_img_path']!);
    mkdirSync(files, { recursive: true });
    mkdirSync(imageFolder, { recursive: true });
    for (const part of ['train', 'val']) {
      const { images, annotations } = await smallDataset(join(folder, part), 4, { kind: 'question' });
      renameSync(images, join(imageFolder, part));
      const questions: Record<string, unknown>[] = annotations.images.map(({ file_name, caption, answer }, index) => ({
        image_filename: file_name,
        question: caption,
        answer,
        split: part,
        image_index: index,
        image: file_name.replace('.png', ''),
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
      ...values,
      ...smallValues,
      datasets: [],
      position_temperature: 10_000,
      augmentation: 'none',
      max_steps: 2,
      ...Object.fromEntries(paths),
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
    expect(Object.keys(metrics).filter((name) => name.includes('box'))).toEqual([]);
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
      do_qa: false,
      split_qa_heads: false,
      no_detection: false,
      datasets: [{ ...own, images }],
      output_dir: join(folder, 'silent'),
    });
    await expect(train(silent)).rejects.toThrow(/has questions without boxes: .*do_qa/);
  });
});

describe("official sets whose authors' own files make the metric", () => {
  const folder = join(root, 'official');
  const model = join(folder, 'model');
  const truth = join(folder, 'VGPhraseCut_v0');
  beforeAll(async () => {
    mkdirSync(folder, { recursive: true });
    cpSync(fileURLToPath(new URL('../../../models/default', import.meta.url)), model, { recursive: true });
    const { annotations, images } = await smallDataset(join(folder, 'vg'), 2);
    renameSync(images, join(folder, 'images'));
    const tasks = annotations.images.map(({ id, caption }) => {
      const boxes = annotations.annotations
        .filter(({ image_id }) => image_id === id)
        .map(({ bbox }) => bbox as number[]);
      return {
        task_id: `${id}__0`,
        image_id: id,
        phrase: caption,
        instance_boxes: boxes,
        phrase_structure: { name: 'cube', attributes: [], relation_descriptions: [], type: 'name' },
        Polygons: boxes.map(([x, y, w, h]) => [[[x, y], [x! + w!, y], [x! + w!, y! + h!], [x, y! + h!]]]), // prettier-ignore
      };
    });
    const write = (path: string, value: unknown): void => writeFileSync(join(folder, path), JSON.stringify(value));
    mkdirSync(truth);
    write('VGPhraseCut_v0/refer_miniv.json', tasks);
    write(
      'VGPhraseCut_v0/image_data_split.json',
      tasks.map(({ image_id }) => ({ image_id, width: 96, height: 64 })),
    );
    write('VGPhraseCut_v0/name_att_rel_count.json', { cat: [['cube', 1]], att: [] });
    const asked = annotations.images.map((image) => ({ ...image, original_id: image.id, task_id: `${image.id}__0` }));
    write('finetune_phrasecut_miniv.json', { images: asked, annotations: annotations.annotations });
  });

  const measure = async (more: Readonly<Record<string, unknown>>) => {
    const notes: string[] = [];
    const config = parseTrainConfig({
      combine_datasets: ['phrasecut'],
      combine_datasets_val: ['phrasecut'],
      threads: 1,
      phrasecut_ann_path: folder,
      vg_img_path: join(folder, 'images'),
      output_dir: folder,
      ...more,
    });
    const observer = { onProgress: () => undefined, onNote: (text: string) => void notes.push(text) };
    return { ...(await validatorFor(config, observer)!(model)), notes };
  };

  it('are measured by them beside AP50, which decides', async () => {
    const { metrics, metric, notes } = await measure({ phrasecut_orig_ann_path: truth });
    expect(notes).toEqual([]);
    expect(metric).toBe(metrics['phrasecut/box_ap_50']);
    expect(Object.keys(metrics)).toEqual(
      expect.arrayContaining(['phrasecut/box_precision_at_50', 'phrasecut/mean_box_iou', 'phrasecut/mean_mask_iou']),
    );
  });

  it("are chosen by the masks' IoU where the detector is frozen", async () => {
    const { metrics, metric } = await measure({
      phrasecut_orig_ann_path: truth,
      freeze_detector: true,
      mask_model: 'smallconv',
      contrastive_align_loss: false,
    });
    expect(metric).toBe(metrics['phrasecut/mean_mask_iou']);
  });

  it('that are missing, or cannot be measured, are found out before the first step', async () => {
    await expect(measure({ phrasecut_ann_path: join(folder, 'none') })).rejects.toThrow(
      /none.finetune_phrasecut_miniv\.json: no such annotation file; the paths of "phrasecut" are set by phrasecut_ann_path/,
    );
    await expect(measure({ vg_img_path: join(folder, 'none') })).rejects.toThrow(/none: there is no such folder/);
    const observer = { onProgress: () => undefined, onNote: () => undefined };
    const validator = (datasets_val: readonly unknown[]) => validatorFor(parseTrainConfig({ datasets_val }), observer);
    const own = { annotations: join(folder, 'finetune_phrasecut_miniv.json'), images: join(folder, 'images') };
    expect(() => validator([{ ...own, task: 'gqa' }])).toThrow(/task "gqa" needs question heads/);
    expect(() => validator([{ scenes: join(folder, 'none') }])).toThrow(/none: is not a folder of scenes/);
  });

  it('are measured by their annotations where the files are missing, which is said beforehand', async () => {
    const { metrics, notes } = await measure({ phrasecut_orig_ann_path: join(folder, 'nowhere') });
    expect(notes).toEqual([
      expect.stringMatching(
        /^validation set phrasecut: .*phrasecut_orig_ann_path names their folder, and there is no .*nowhere/,
      ),
    ]);
    expect(Object.keys(metrics)).toEqual(['phrasecut/box_ap', 'phrasecut/box_ap_50', 'phrasecut/box_ap_75']);
  });
});

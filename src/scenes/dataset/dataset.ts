import { existsSync } from 'node:fs';
import { readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Worker } from 'node:worker_threads';
import { MdetrError, UsageError } from '../../errors.ts';
import { startWorker } from '../../threads/worker-thread.ts';
import { clevrQuestion, type ClevrQuestion } from './clevr-format.ts';
import { ANNOTATION_FILES, type AnnotationFile, type DatasetItem } from './dataset-item.ts';
import {
  completeSettings,
  IMAGE_FOLDER,
  isImageName,
  type DatasetSettings,
  type GivenSettings,
} from './dataset-settings.ts';
import type { WorkerReply, WorkerStart } from './dataset-worker.ts';
import { guard } from '../../files/growing-file.ts';
import { JsonSections } from '../../files/json/json-sections.ts';
import { makeFolder } from '../../files/make-folder.ts';

/** Options of `writeDataset` that do not affect the output. */
export interface WriteDatasetOptions {
  /** Number of worker threads. Default 1. */
  readonly threads?: number;
  /** Stops the run. Finished images stay, incomplete files are removed. */
  readonly signal?: AbortSignal;
  /** Called with the number of finished images. */
  readonly onProgress?: (imagesDone: number) => void;
  /** Replace a dataset that the folder holds with other settings. Default false. */
  readonly overwrite?: boolean;
}

/** Number of texts in each annotation file. */
export type DatasetSummary = Readonly<Record<AnnotationFile, number>>;

/** File with the settings. It is written first, so that an interrupted run can be resumed and datasets are not mixed. */
const SETTINGS_FILE = 'dataset.json';
const ANNOTATION_FOLDER = 'annotations';

/** Number of scenes per worker that may be finished ahead of the next one to write. */
const WINDOW_PER_THREAD = 8;

/**
 * Writes a dataset of scenes: `images/`, CLEVR's `scenes.json` and `questions.json`, and in `annotations/` one annotation
 * file in the official format per task. The bytes depend only on the settings. Calling it again with the same settings
 * resumes an interrupted run.
 * @param given settings; all but `images` have defaults
 * @throws {UsageError} if a setting is invalid or unknown, or the folder holds something else
 * @throws {MdetrError} if a file cannot be written, or the run was stopped
 */
export const writeDataset = async (
  folder: string,
  given: GivenSettings,
  options: WriteDatasetOptions = {},
): Promise<DatasetSummary> => {
  const settings = completeSettings('writeDataset', given);
  await prepareFolder(folder, settings, options.overwrite === true);
  const writer = await DatasetWriter.create(folder, settings);
  try {
    await makeItems(folder, settings, options, async (item) => {
      await writer.add(item);
      options.onProgress?.(item.index - settings.start + 1);
    });
    return await writer.finish();
  } catch (error) {
    await writer.discard();
    throw error;
  } finally {
    await removeParts(join(folder, IMAGE_FOLDER));
  }
};

/** Removes incomplete images of workers that were stopped. */
const removeParts = async (folder: string): Promise<void> => {
  for (const name of await readdir(folder)) {
    if (name.endsWith('.part')) await rm(join(folder, name), { force: true });
  }
};

const prepareFolder = async (folder: string, settings: DatasetSettings, overwrite: boolean): Promise<void> => {
  const path = join(folder, SETTINGS_FILE);
  // Datasets from before the second language have no entry for it, and can be resumed.
  const entries = Object.entries(settings).filter(([name, value]) => name !== 'language' || value !== 'plain');
  const sorted = Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)));
  const wanted = `${JSON.stringify({ generator: 'mdetr scenes', format_version: 1, ...sorted }, null, 2)}\n`;
  const known = existsSync(path) ? await readFile(path, 'utf8') : undefined;
  if (known === wanted) return;
  if (known === undefined && existsSync(folder) && (await guard(folder, () => readdir(folder))).length > 0) {
    throw new UsageError(`${folder}: the folder is not empty and does not contain scenes; choose another one`);
  }
  if (known !== undefined && !overwrite) {
    throw new UsageError(
      `${folder}: contains scenes with other settings (see ${SETTINGS_FILE}); choose another folder, or pass --overwrite to replace them`,
    );
  }
  await guard(folder, async () => {
    if (known !== undefined) await removeDataset(folder);
    await makeFolder(join(folder, IMAGE_FOLDER));
    await makeFolder(join(folder, ANNOTATION_FOLDER));
    await writeFile(`${path}.part`, wanted);
    await rename(`${path}.part`, path);
  });
};

/** Removes the files that an earlier run wrote, and nothing else. */
const removeDataset = async (folder: string): Promise<void> => {
  const images = join(folder, IMAGE_FOLDER);
  const names = existsSync(images) ? await readdir(images) : [];
  const written = [
    SETTINGS_FILE,
    'scenes.json',
    'questions.json',
    ...ANNOTATION_FILES.map((name) => join(ANNOTATION_FOLDER, `${name}.json`)),
    ...names.filter((name) => isImageName(name)).map((name) => join(IMAGE_FOLDER, name)),
  ];
  for (const name of written) await rm(join(folder, name), { force: true });
};

/** Makes all scenes on worker threads and passes them to `accept` in order. */
const makeItems = async (
  folder: string,
  settings: DatasetSettings,
  { threads = 1, signal }: WriteDatasetOptions,
  accept: (item: DatasetItem) => Promise<void>,
): Promise<void> => {
  const end = settings.start + settings.images;
  const count = Math.max(1, Math.min(threads, settings.images));
  const ready = new Map<number, DatasetItem>();
  let sent = settings.start;
  let wanted = settings.start;
  let wake: () => void = () => undefined;
  const failures: unknown[] = [];
  const stop = (error: unknown): void => {
    failures.push(error);
    wake();
  };
  const onAbort = (): void => stop(new MdetrError('stopped; run the same command to resume'));
  signal?.addEventListener('abort', onAbort);
  const idle: Worker[] = [];
  const workerData: WorkerStart = { folder, settings };
  const workers = Array.from({ length: count }, () => startWorker(import.meta.url, './dataset-worker', { workerData }));
  try {
    for (const worker of workers) {
      worker.on('error', stop);
      worker.on('message', (reply: WorkerReply) => {
        if ('failure' in reply) {
          const { message, isUserError } = reply.failure;
          stop(isUserError ? new MdetrError(message) : new Error(message));
          return;
        }
        ready.set(reply.item.index, reply.item);
        idle.push(worker);
        wake();
      });
      idle.push(worker);
    }
    if (signal?.aborted === true) onAbort();
    while (wanted < end) {
      if (failures.length > 0) throw failures[0];
      while (idle.length > 0 && sent < end && sent < wanted + WINDOW_PER_THREAD * count) {
        idle.shift()!.postMessage(sent++);
      }
      const item = ready.get(wanted);
      if (item === undefined) {
        await new Promise<void>((resolve) => (wake = resolve));
        continue;
      }
      ready.delete(wanted++);
      await accept(item);
    }
  } finally {
    signal?.removeEventListener('abort', onAbort);
    await Promise.all(workers.map((worker) => worker.terminate()));
  }
};

/** Writer of the files to which scenes are appended in order. */
class DatasetWriter {
  private readonly counts: Record<AnnotationFile, number> = {
    captions: 0,
    refexps: 0,
    refexp_masks: 0,
    questions: 0,
    negatives: 0,
  };
  private readonly boxes = { ...this.counts };
  private questionCount = 0;

  private constructor(
    private readonly settings: DatasetSettings,
    private readonly scenes: JsonSections,
    private readonly questions: JsonSections,
    private readonly annotations: Readonly<Record<AnnotationFile, JsonSections>>,
  ) {}

  static async create(folder: string, settings: DatasetSettings): Promise<DatasetWriter> {
    const opened: JsonSections[] = [];
    const open = async (name: string, ...arrays: string[]): Promise<JsonSections> => {
      const file = await JsonSections.create(join(folder, name), arrays);
      opened.push(file);
      return file;
    };
    const openTask = (name: AnnotationFile) => open(join(ANNOTATION_FOLDER, `${name}.json`), 'images', 'annotations');
    try {
      return new DatasetWriter(
        settings,
        await open('scenes.json', 'scenes'),
        await open('questions.json', 'questions'),
        {
          captions: await openTask('captions'),
          refexps: await openTask('refexps'),
          refexp_masks: await openTask('refexp_masks'),
          questions: await openTask('questions'),
          negatives: await openTask('negatives'),
        },
      );
    } catch (error) {
      for (const file of opened) await file.discard();
      throw error;
    }
  }

  async add({ scene, questions, rows }: DatasetItem): Promise<void> {
    await this.scenes.append('scenes', scene);
    for (const question of questions) {
      const entry: ClevrQuestion = clevrQuestion(question, scene, this.questionCount++);
      await this.questions.append('questions', entry);
    }
    for (const name of ANNOTATION_FILES) {
      const file = this.annotations[name];
      for (const { image, annotations } of rows[name]) {
        const id = ++this.counts[name]; // starts at 1: pycocotools treats an annotation with id 0 as unmatched
        await file.append('images', { id, ...image });
        for (const annotation of annotations) {
          await file.append('annotations', { id: ++this.boxes[name], image_id: id, ...annotation });
        }
      }
    }
  }

  async finish(): Promise<DatasetSummary> {
    const { split, seed, start, images } = this.settings;
    const info = { version: '1.0', split, description: 'mdetr scenes', seed, start, images };
    await this.scenes.finish({ info, scenes: [] });
    await this.questions.finish({ info, questions: [] });
    for (const name of ANNOTATION_FILES) {
      const categories = [{ supercategory: 'object', id: 1, name: 'object' }];
      await this.annotations[name].finish({ info, licenses: [], images: [], annotations: [], categories });
    }
    return this.counts;
  }

  async discard(): Promise<void> {
    for (const file of [this.scenes, this.questions, ...Object.values(this.annotations)]) await file.discard();
  }
}

import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Worker } from 'node:worker_threads';
import { MdetrError, UsageError } from '../../errors.ts';
import { startWorker } from '../../threads/worker-thread.ts';
import { clevrQuestionRecord, type ClevrQuestion } from './clevr-format.ts';
import { ANNOTATION_FILES, type AnnotationFile, type DatasetItem } from './dataset-item.ts';
import { checkSettings, IMAGE_FOLDER, isImageName, type DatasetSettings } from './dataset-settings.ts';
import type { WorkerReply, WorkerStart } from './dataset-worker.ts';
import { guard, JsonSections } from '../../files/json-sections.ts';

export interface DatasetRun {
  readonly threads?: number;
  /** Stops the run; complete pictures stay, half files do not. */
  readonly signal?: AbortSignal;
  readonly onProgress?: (imagesDone: number) => void;
  /** Where the folder holds scenes with other settings, replace them. */
  readonly overwrite?: boolean;
}

/** How many texts were written to each file. */
export type DatasetSummary = Readonly<Record<AnnotationFile, number>>;

/** Written first and kept: what the folder holds, so that an interrupted run can go on and no other is mixed in. */
const SETTINGS_FILE = 'dataset.json';
const ANNOTATION_FOLDER = 'annotations';

/** How far workers may run ahead of the scene that is to be written next. */
const WINDOW_PER_THREAD = 8;

/**
 * Writes a data set of scenes: `images/`, CLEVR's `scenes.json` and `questions.json`, and one official annotation file
 * per task in `annotations/`. Bytes depend on the settings alone, not on the number of threads.
 * @throws MdetrError when a file cannot be written or the run was stopped; UsageError for wrong settings.
 */
export const writeDataset = async (
  folder: string,
  settings: DatasetSettings,
  run: DatasetRun = {},
): Promise<DatasetSummary> => {
  checkSettings(settings);
  await prepareFolder(folder, settings, run.overwrite === true);
  const writer = await DatasetWriter.create(folder, settings);
  try {
    await makeItems(folder, settings, run, async (item) => {
      await writer.add(item);
      run.onProgress?.(item.index - settings.start + 1);
    });
    return await writer.finish();
  } catch (error) {
    await writer.discard();
    throw error;
  } finally {
    await removeParts(join(folder, IMAGE_FOLDER));
  }
};

/** Pictures that were being written when a worker ended. */
const removeParts = async (folder: string): Promise<void> => {
  for (const name of await readdir(folder)) {
    if (name.endsWith('.part')) await rm(join(folder, name), { force: true });
  }
};

const prepareFolder = async (folder: string, settings: DatasetSettings, overwrite: boolean): Promise<void> => {
  const path = join(folder, SETTINGS_FILE);
  const sorted = Object.fromEntries(Object.entries(settings).sort(([a], [b]) => (a < b ? -1 : 1)));
  const wanted = `${JSON.stringify({ generator: 'mdetr scenes', format_version: 1, ...sorted }, null, 2)}\n`;
  const known = existsSync(path) ? await readFile(path, 'utf8') : undefined;
  if (known === wanted) return;
  if (known === undefined && existsSync(folder) && (await guard(folder, () => readdir(folder))).length > 0) {
    throw new UsageError(`${folder}: the folder is not empty and holds no scenes; name another one`);
  }
  if (known !== undefined && !overwrite) {
    throw new UsageError(
      `${folder}: holds scenes made with other settings (${SETTINGS_FILE} there); name another folder, or replace them with --overwrite`,
    );
  }
  await guard(folder, async () => {
    if (known !== undefined) await removeDataset(folder);
    await mkdir(join(folder, IMAGE_FOLDER), { recursive: true });
    await mkdir(join(folder, ANNOTATION_FOLDER), { recursive: true });
    await writeFile(`${path}.part`, wanted);
    await rename(`${path}.part`, path);
  });
};

/** Removes what an earlier run wrote, and nothing else. */
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

/** Makes all scenes on worker threads and hands them on in order. */
const makeItems = async (
  folder: string,
  settings: DatasetSettings,
  { threads = 1, signal }: DatasetRun,
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
  const onAbort = (): void => stop(new MdetrError('stopped; the same command goes on where it ended'));
  signal?.addEventListener('abort', onAbort);
  const idle: Worker[] = [];
  const workerData: WorkerStart = { folder, settings };
  const workers = Array.from({ length: count }, () => startWorker(import.meta.url, './dataset-worker', { workerData }));
  try {
    for (const worker of workers) {
      worker.on('error', stop);
      worker.on('message', (reply: WorkerReply) => {
        if ('failure' in reply) {
          const { message, mendable } = reply.failure;
          stop(mendable ? new MdetrError(message) : new Error(message));
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

/** The files that grow while scenes come in, in order. */
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
      const record: ClevrQuestion = clevrQuestionRecord(question, scene, this.questionCount++);
      await this.questions.append('questions', record);
    }
    for (const name of ANNOTATION_FILES) {
      const file = this.annotations[name];
      for (const { image, annotations } of rows[name]) {
        const id = ++this.counts[name]; // from 1: COCO's own tools take a box with id 0 for no match
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

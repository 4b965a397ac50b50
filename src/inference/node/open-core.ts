import { resolve } from 'node:path';
import { UsageError } from '../../errors.ts';
import type { ImageSource } from '../../data/images/image-source.ts';
import { decodeImage } from '../../data/images/node/decode-image.ts';
import { createRuntime } from '../../engine/runtime/create-runtime.ts';
import { ProgramCache } from '../../engine/runtime/node/program-cache.ts';
import { isExportedFolder, isOnHub, resolveModelPath } from '../../model-folder/node/model-files.ts';
import { DETECTOR_INT8, hasDetector, storageOf } from '../../model-folder/weight-storage.ts';
import type { ModelSource } from '../../model-folder/model-source.ts';
import { openModelSource } from '../../model-folder/node/model-source.ts';
import { InferenceCore } from '../core.ts';
import { disposeEarly, loadEarly, loadStages, type StagesOptions } from './known-programs.ts';
import type { Int8Form } from './int8-form.ts';
import type { FromPretrainedOptions, ProgressEvent } from './load-options.ts';
import { openExported } from './open-exported.ts';

/** Reads a model's files and loads its programs. Throws `MdetrError`; nothing stays open then. */
export const openCore = async (name: string, options: FromPretrainedOptions): Promise<InferenceCore> => {
  const notify = options.onProgress ?? (() => undefined);
  notify({ status: 'reading', name });
  const isHubModel = await isOnHub(name);
  const path = isHubModel ? await downloaded(name, options, notify) : await resolveModelPath(name);
  if (options.revision !== undefined && !isHubModel)
    throw new UsageError(`${name}: only models of the hub, named OWNER/NAME, have revisions`);
  if (await isExportedFolder(path)) return openExported(name, path, options);
  const { device, threads, strictDevice, onPlacement, dtype = 'float32' } = options;
  const cache = new ProgramCache({ folder: options.cacheDir });
  const int8 = dtype === 'int8' ? await int8FormOf(path, device) : undefined;
  const loading: StagesOptions = {
    cache,
    storage: storageOf(dtype),
    ranges: int8?.ranges,
    onLoad: (program) => notify({ status: 'compiling', name: program }),
  };
  const starting = createRuntime({ device, threads, strictDevice, onPlacement, cache });
  const call = [resolve(path), options.weights, options.config, options.answers, options.tokenizer];
  // Errors of the model's files come first; that of the runtime is thrown below.
  starting.catch(() => undefined);
  let onCreating: () => void = () => undefined;
  const creating = new Promise<void>((done) => (onCreating = done));
  const early = loadEarly(call, starting, loading, onCreating);
  // Reading the model keeps this thread busy for most of the time that other threads need for the sessions.
  await Promise.race([early, creating]);
  const source: ModelSource = await openModelSource(path, options).catch(async (error: unknown) => {
    await disposeEarly(await early);
    throw error;
  });
  try {
    options.onPreprocessing?.(source.preprocessing);
    const runtime = await starting;
    const stages = await loadStages({ ...source, name }, runtime, loading, call, await early);
    notify({ status: 'ready', name });
    return new InferenceCore({
      source: { ...source, name, dtype, report: joined(source.report, int8 && int8Note(int8, source)) },
      device: runtime.device,
      ...stages,
      decode: (image, decodeOptions) => decodeImage(image as ImageSource, decodeOptions),
    });
  } finally {
    await source.close();
  }
};

const int8FormOf = async (path: string, device = 'cpu'): Promise<Int8Form> =>
  (await import('./int8-form.ts')).int8Form(path, device);

/** How the model computes, for its report: a backbone that detects objects needs no ranges. */
const int8Note = ({ note }: Int8Form, { model }: ModelSource): string =>
  hasDetector(model.registry.specs.map(({ name }) => name)) ? `int8: ${DETECTOR_INT8}` : note;

const joined = (...lines: readonly (string | undefined)[]): string | undefined =>
  lines.reduce((text, line) => (text === undefined || line === undefined ? (text ?? line) : `${text}\n${line}`));

/** Folder of a model of the hub, which is downloaded if it is not in the hub's cache. */
const downloaded = async (
  name: string,
  { dtype, revision, localFilesOnly }: FromPretrainedOptions,
  notify: (event: ProgressEvent) => void,
): Promise<string> => {
  const { pullHubModel } = await import('../../model-folder/node/hub-model.ts');
  const onProgress = ({ file }: { readonly file: string }): void => notify({ status: 'downloading', name: file });
  return (await pullHubModel(name, { dtype, revision, offline: localFilesOnly, onProgress })).folder;
};

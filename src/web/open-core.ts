import { MdetrError } from '../errors.ts';
import { createBrowserRuntime } from '../engine/runtime/web/load-ort.ts';
import type { Runtime } from '../engine/runtime/runtime.ts';
import { InferenceCore, type CoreParts } from '../inference/core.ts';
import { loadExportedStages } from '../inference/exported-stages.ts';
import { loadTracedStages } from '../inference/traced-stages.ts';
import { decodeImage } from './decode-image.ts';
import { chooseDevice, type DeviceChoice } from './device.ts';
import { readExportedFolder, readManifest } from './exported-folder.ts';
import type { FromPretrainedOptions, ProgressEvent } from './load-options.ts';
import { ModelFiles, readModelFolder, type ReadOptions } from './model-folder.ts';
import type { Assets, ModelLocation } from './model-location.ts';

/** Everything that loading a model needs, in a form that can be sent to a worker. */
export interface LoadRequest {
  readonly location: ModelLocation;
  readonly assets: Assets;
  readonly options: Pick<FromPretrainedOptions, 'device' | 'dtype' | 'threads' | 'cache' | 'sha256'>;
}

type Notify = (event: ProgressEvent) => void;

/** A model with its loaded programs. */
type LoadedParts = Omit<CoreParts, 'device' | 'decode'>;

/**
 * Downloads a model and loads its programs in this thread. Throws `MdetrError`; nothing stays loaded then.
 *
 * @param receiveImage turns an image of the caller into one that `decodeImage` takes
 */
export const openCore = async (
  { location, assets, options }: LoadRequest,
  notify: Notify,
  receiveImage: (image: unknown) => Promise<unknown> = (image) => Promise.resolve(image),
): Promise<{ readonly core: InferenceCore; readonly choice: DeviceChoice }> => {
  notify({ status: 'reading', name: location.name });
  const choice = await chooseDevice(options.device ?? 'auto', options.threads);
  const { device, threads } = choice;
  const runtime = createBrowserRuntime({ device, threads, build: assets.ort[device] });
  // Not awaited yet: ONNX Runtime and the model are downloaded at the same time.
  runtime.catch(() => undefined);
  const loaded = await loadParts(new ModelFiles(location), runtime, options, notify);
  notify({ status: 'ready', name: location.name });
  const core = new InferenceCore({
    ...loaded,
    device,
    decode: async (image, decodeOptions) => decodeImage(await receiveImage(image), decodeOptions),
  });
  return { core, choice };
};

const loadParts = async (
  files: ModelFiles,
  runtime: Promise<Runtime>,
  options: LoadRequest['options'],
  notify: Notify,
): Promise<LoadedParts> => {
  const reading: ReadOptions = {
    isCached: options.cache ?? true,
    sha256: options.sha256,
    onDownload: (name, loadedBytes, totalBytes) => notify({ status: 'downloading', name, loadedBytes, totalBytes }),
  };
  const { url } = files.location;
  const onLoad = (name: string): void => notify({ status: 'compiling', name });
  const manifest = await readManifest(files);
  if (manifest !== undefined) {
    const source = await readExportedFolder(files, manifest, options.dtype, reading);
    return { source, ...(await loadExportedStages(source, await runtime, url, onLoad)) };
  }
  if (options.dtype !== undefined && options.dtype !== 'float32')
    throw new MdetrError(`${url}: is a model folder, which is run in float32; export it for ${options.dtype}`);
  const source = await readModelFolder(files, reading);
  try {
    return { source, ...(await loadTracedStages(source, await runtime, undefined, onLoad)) };
  } finally {
    await source.close();
  }
};

import { MdetrError } from '../errors.ts';
import type { NamedTensors, Program } from '../engine/graph/index.ts';
import { createBrowserRuntime } from '../engine/runtime/web/load-ort.ts';
import type { Runtime, Session } from '../engine/runtime/runtime.ts';
import { InferenceCore, type CoreParts } from '../inference/core.ts';
import { loadExportedStages } from '../inference/exported-stages.ts';
import { MaskProgram } from '../inference/mask-predictor.ts';
import { traceInference } from '../inference/programs.ts';
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
type LoadedParts = Pick<CoreParts, 'source' | 'image' | 'text' | 'masks'>;

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
  const manifest = await readManifest(files);
  if (manifest !== undefined) {
    const source = await readExportedFolder(files, manifest, options.dtype, reading);
    const stages = await loadExportedStages(source, await runtime, url, (name) =>
      notify({ status: 'compiling', name }),
    );
    return { source, ...stages };
  }
  if (options.dtype !== undefined && options.dtype !== 'float32')
    throw new MdetrError(`${url}: is a model folder, which is run in float32; export it for ${options.dtype}`);
  const source = await readModelFolder(files, reading);
  try {
    return { source, ...(await loadTraced(source, await runtime, notify)) };
  } finally {
    await source.close();
  }
};

/** Traces the programs of a model folder and loads them. */
const loadTraced = async (
  { model, weights }: Awaited<ReturnType<typeof readModelFolder>>,
  runtime: Runtime,
  notify: Notify,
): Promise<Omit<LoadedParts, 'source'>> => {
  const loaded: Pick<Session, 'dispose'>[] = [];
  const load = async <Inputs extends NamedTensors, Outputs extends NamedTensors>(
    program: Program<Inputs, Outputs>,
  ): Promise<Session<Inputs, Outputs>> => {
    notify({ status: 'compiling', name: program.name });
    const session = await runtime.load(program, { weights });
    loaded.push(session);
    return session;
  };
  try {
    const programs = traceInference(model);
    return {
      image: await load(programs.image),
      text: await load(programs.text),
      masks: programs.masks && new MaskProgram(await load(programs.masks)),
    };
  } catch (error) {
    await Promise.all(loaded.map((session) => session.dispose()));
    throw error;
  }
};

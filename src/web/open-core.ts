import { MdetrError } from '../errors.ts';
import type { NamedTensors, Program } from '../engine/graph/index.ts';
import { createBrowserRuntime } from '../engine/runtime/web/load-ort.ts';
import type { Session } from '../engine/runtime/runtime.ts';
import { InferenceCore } from '../inference/core.ts';
import { MaskProgram } from '../inference/mask-predictor.ts';
import { traceInference } from '../inference/programs.ts';
import { decodeImage } from './decode-image.ts';
import { chooseDevice, type DeviceChoice } from './device.ts';
import type { FromPretrainedOptions, ProgressEvent } from './load-options.ts';
import { ModelFiles, readModelFolder } from './model-folder.ts';
import type { Assets, ModelLocation } from './model-location.ts';

/** Everything that loading a model needs, in a form that can be sent to a worker. */
export interface LoadRequest {
  readonly location: ModelLocation;
  readonly assets: Assets;
  readonly options: Pick<FromPretrainedOptions, 'device' | 'dtype' | 'threads' | 'cache' | 'sha256'>;
}

/**
 * Downloads a model and loads its programs in this thread. Throws `MdetrError`; nothing stays loaded then.
 *
 * @param receiveImage turns an image of the caller into one that `decodeImage` takes
 */
export const openCore = async (
  { location, assets, options }: LoadRequest,
  notify: (event: ProgressEvent) => void,
  receiveImage: (image: unknown) => Promise<unknown> = (image) => Promise.resolve(image),
): Promise<{ readonly core: InferenceCore; readonly choice: DeviceChoice }> => {
  const { name } = location;
  notify({ status: 'reading', name });
  const choice = await chooseDevice(options.device ?? 'auto', options.threads);
  const [runtime, source] = await Promise.all([
    createBrowserRuntime({ device: choice.device, threads: choice.threads, build: assets.ort[choice.device] }),
    readModelFolder(new ModelFiles(location), {
      isCached: options.cache ?? true,
      sha256: options.sha256,
      onDownload: (file, loadedBytes, totalBytes) =>
        notify({ status: 'downloading', name: file, loadedBytes, totalBytes }),
    }),
  ]);
  if (options.dtype !== undefined && options.dtype !== 'float32')
    throw new MdetrError(`${location.url}: is a model folder, which is run in float32; export it for ${options.dtype}`);
  const loaded: Pick<Session, 'dispose'>[] = [];
  try {
    const programs = traceInference(source.model);
    const load = async <Inputs extends NamedTensors, Outputs extends NamedTensors>(
      program: Program<Inputs, Outputs>,
    ): Promise<Session<Inputs, Outputs>> => {
      notify({ status: 'compiling', name: program.name });
      const session = await runtime.load(program, { weights: source.weights });
      loaded.push(session);
      return session;
    };
    const core = new InferenceCore({
      source,
      device: choice.device,
      image: await load(programs.image),
      text: await load(programs.text),
      masks: programs.masks === undefined ? undefined : new MaskProgram(await load(programs.masks)),
      decode: async (image, decodeOptions) => decodeImage(await receiveImage(image), decodeOptions),
    });
    notify({ status: 'ready', name });
    return { core, choice };
  } catch (error) {
    await Promise.all(loaded.map((session) => session.dispose()));
    throw error;
  } finally {
    await source.close();
  }
};

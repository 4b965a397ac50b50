import type { ImageSource } from '../../data/images/image-source.ts';
import { decodeImage } from '../../data/images/node/decode-image.ts';
import { createRuntime } from '../../engine/runtime/create-runtime.ts';
import { UsageError } from '../../errors.ts';
import { openExportedFolder } from '../../model-folder/node/exported-folder.ts';
import { InferenceCore } from '../core.ts';
import { loadExportedStages } from '../exported-stages.ts';
import type { FromPretrainedOptions } from './load-options.ts';

/** Loads the programs of an exported folder: nothing is traced, folded or cached. Nothing stays open after an error. */
export const openExported = async (
  name: string,
  folder: string,
  options: FromPretrainedOptions,
): Promise<InferenceCore> => {
  const {
    onProgress: notify = () => undefined,
    device,
    threads,
    strictDevice,
    onPlacement,
    tokenizer,
    answers,
  } = options;
  if (options.weights !== undefined || options.config !== undefined)
    throw new UsageError(`${folder}: is an exported model; "weights" and "config" were chosen by its export`);
  const source = await openExportedFolder(name, folder, { tokenizer, answers, precision: options.dtype });
  const runtime = await createRuntime({ device, threads, strictDevice, onPlacement });
  const stages = await loadExportedStages(source, runtime, folder, (program) =>
    notify({ status: 'compiling', name: program }),
  );
  notify({ status: 'ready', name });
  return new InferenceCore({
    source,
    device: runtime.device,
    ...stages,
    decode: (image, decodeOptions) => decodeImage(image as ImageSource, decodeOptions),
  });
};

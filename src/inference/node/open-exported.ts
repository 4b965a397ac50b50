import type { ImageSource } from '../../data/images/image-source.ts';
import { decodeImage } from '../../data/images/node/decode-image.ts';
import type { Program } from '../../engine/graph/index.ts';
import { createRuntime } from '../../engine/runtime/create-runtime.ts';
import type { SessionOf } from '../../engine/runtime/runtime.ts';
import { MdetrError, UsageError } from '../../errors.ts';
import { openExportedFolder, type ExportedProgramFile } from '../../model-folder/node/exported-folder.ts';
import { InferenceCore, type CoreParts } from '../core.ts';
import { MaskProgram, PredictedMasks, type MaskPredictor } from '../mask-predictor.ts';
import type { InferencePrograms } from '../programs.ts';
import type { WholeProgram } from '../whole-program.ts';
import { stagesOfWhole } from '../whole-stages.ts';
import type { FromPretrainedOptions } from './load-options.ts';

/** Loads the programs of an exported folder: nothing is traced, folded or cached. Nothing stays open after an error. */
export const openExported = async (
  name: string,
  folder: string,
  options: FromPretrainedOptions,
): Promise<InferenceCore> => {
  const { onProgress: notify = () => undefined, device, threads, tokenizer, answers } = options;
  if (options.weights !== undefined || options.config !== undefined)
    throw new UsageError(`${folder}: is an exported model; "weights" and "config" were chosen by its export`);
  const source = await openExportedFolder(name, folder, { tokenizer, answers, precision: options.dtype });
  const runtime = await createRuntime({ device, threads });
  const loaded: { dispose(): Promise<void> }[] = [];
  const load = async <P extends Program>(exported: ExportedProgramFile | undefined): Promise<SessionOf<P>> => {
    if (exported === undefined) throw new MdetrError(`${folder}: a program of the ${source.layout} layout is missing`);
    notify({ status: 'compiling', name: exported.program.name });
    const session = await runtime.load(exported.program, { compiled: exported.path });
    loaded.push(session);
    return session as unknown as SessionOf<P>;
  };
  try {
    const stages =
      source.layout === 'parts' ? await partsOf(source.programs, load) : await wholeOf(source.programs, load);
    const core = new InferenceCore({
      source,
      device: runtime.device,
      ...stages,
      decode: (image, decodeOptions) => decodeImage(image as ImageSource, decodeOptions),
    });
    notify({ status: 'ready', name });
    return core;
  } catch (error) {
    await Promise.all(loaded.map((session) => session.dispose()));
    throw error;
  }
};

type Programs = Awaited<ReturnType<typeof openExportedFolder>>['programs'];
type Load = <P extends Program>(exported: ExportedProgramFile | undefined) => Promise<SessionOf<P>>;
type Stages = Pick<CoreParts, 'image' | 'text' | 'masks'>;

const partsOf = async ({ image, text, masks }: Programs, load: Load): Promise<Stages> => ({
  image: await load<InferencePrograms['image']>(image),
  text: await load<InferencePrograms['text']>(text),
  masks: masks && new MaskProgram(await load<NonNullable<InferencePrograms['masks']>>(masks)),
});

const wholeOf = async ({ model }: Programs, load: Load): Promise<Stages> => {
  const session = await load<WholeProgram>(model);
  const hasMasks = 'pred_masks' in session.program.outputs;
  const masks: MaskPredictor | undefined = hasMasks ? new PredictedMasks() : undefined;
  return { ...stagesOfWhole(session), masks };
};

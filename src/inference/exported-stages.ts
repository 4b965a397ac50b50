import type { Program } from '../engine/graph/index.ts';
import type { Runtime, Session, SessionOf } from '../engine/runtime/runtime.ts';
import { MdetrError } from '../errors.ts';
import type { ExportedProgramFile, ExportedPrograms } from '../model-folder/exported-model.ts';
import type { Stages } from './stages.ts';
import { MaskProgram, PredictedMasks, type MaskSession } from './mask-predictor.ts';
import type { InferencePrograms } from './programs.ts';
import type { WholeProgram } from './whole-program.ts';
import { stagesOfWhole } from './whole-stages.ts';

/**
 * Loads the programs of an exported folder: nothing is traced, folded or cached. Nothing stays open after an error.
 *
 * @param folder path or URL, for errors
 * @param onLoad called with the name of each program before it is loaded
 * @param isCached the programs are in the cache; that of masks is loaded when they are wanted for the first time, so that a broken one
 *   fails then
 * @param onCreating called when ONNX Runtime creates the sessions of text and image on other threads (`LoadOptions`)
 * @throws {MdetrError} if ONNX Runtime rejects a program, or the layout lacks one
 */
export const loadExportedStages = async (
  { layout, programs }: ExportedPrograms,
  runtime: Runtime,
  folder: string,
  onLoad: (program: string) => void,
  isCached = false,
  onCreating?: () => void,
): Promise<Stages> => {
  const loaded: Pick<Session, 'dispose'>[] = [];
  const created = new Set<string>();
  const whenCreating = (name: string): void => {
    if (created.add(name).size === EARLY_PARTS) onCreating?.();
  };
  const load = async <P extends Program>(exported: ExportedProgramFile | undefined): Promise<SessionOf<P>> => {
    if (exported === undefined) throw new MdetrError(`${folder}: a program of the ${layout} layout is missing`);
    onLoad(exported.program.name);
    const session = await runtime.load(exported.program, {
      compiled: exported.compiled,
      isCached,
      onCreating: () => whenCreating(exported.program.name),
    });
    loaded.push(session);
    return session as unknown as SessionOf<P>;
  };
  try {
    if (layout === 'parts') {
      // At the same time, on as many threads: creating sessions is most of the start of a small model.
      const loadMasks = (): Promise<MaskSession> => load<NonNullable<InferencePrograms['masks']>>(programs.masks);
      const [text, image, masks] = await settled([
        load<InferencePrograms['text']>(programs.text),
        load<InferencePrograms['image']>(programs.image),
        programs.masks && !isCached ? loadMasks() : undefined,
      ]);
      const hasMasks = programs.masks !== undefined;
      return {
        image,
        text,
        masks: hasMasks ? new MaskProgram(masks ? () => Promise.resolve(masks) : loadMasks) : undefined,
      };
    }
    const session = await load<WholeProgram>(programs.model);
    const hasMasks = 'pred_masks' in session.program.outputs;
    return { ...stagesOfWhole(session), masks: hasMasks ? new PredictedMasks() : undefined };
  } catch (error) {
    await Promise.all(loaded.map((session) => session.dispose()));
    throw error;
  }
};

/** Number of programs of the `parts` layout that are always loaded at once: those of the text and the image. */
const EARLY_PARTS = 2;

/** Like `Promise.all`, but waits for all of them before it fails, so that none is left running. */
const settled: typeof Promise.all = async (promises: Iterable<unknown>) => {
  const all = [...promises];
  await Promise.allSettled(all);
  return Promise.all(all) as never;
};

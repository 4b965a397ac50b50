import type { NamedTensors, Program } from '../engine/graph/index.ts';
import type { Runtime, Session, WeightStorage } from '../engine/runtime/runtime.ts';
import type { ModelSource } from '../model-folder/model-source.ts';
import type { Stages } from './stages.ts';
import { MaskProgram } from './mask-predictor.ts';
import { traceInference } from './programs.ts';

/**
 * Loads the traced programs of a model with its weights. Nothing stays open after an error.
 *
 * @param storage form in which the loaded programs store the weights; undefined: as they are
 * @param onLoad called with the name of each program before it is loaded
 * @param programs traced programs of the model; default: they are traced here
 * @throws {MdetrError} if a program cannot be compiled or loaded
 */
export const loadTracedStages = async (
  { model, weights }: Pick<ModelSource, 'model' | 'weights'>,
  runtime: Runtime,
  storage: WeightStorage | undefined,
  onLoad: (program: string) => void,
  programs = traceInference(model),
): Promise<Stages> => {
  const loaded: Pick<Session, 'dispose'>[] = [];
  const load = async <Inputs extends NamedTensors, Outputs extends NamedTensors>(
    program: Program<Inputs, Outputs>,
  ): Promise<Session<Inputs, Outputs>> => {
    onLoad(program.name);
    const session = await runtime.load(program, { weights, storage });
    loaded.push(session);
    return session;
  };
  try {
    const [image, text] = [await load(programs.image), await load(programs.text)];
    const masks = programs.masks && (await load(programs.masks));
    return { image, text, masks: masks && new MaskProgram(() => Promise.resolve(masks)) };
  } catch (error) {
    await Promise.all(loaded.map((session) => session.dispose()));
    throw error;
  }
};

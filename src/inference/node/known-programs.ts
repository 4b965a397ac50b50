import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { declareProgram, signatureOf, type Program, type ProgramSignature } from '../../engine/graph/index.ts';
import { ProgramCache, PROGRAMS_SUFFIX } from '../../engine/runtime/node/program-cache.ts';
import type { Runtime, WeightStorage } from '../../engine/runtime/runtime.ts';
import { replaceFile } from '../../files/atomic-file.ts';
import { makeFolder } from '../../files/make-folder.ts';
import type { ExportedPrograms } from '../../model-folder/exported-model.ts';
import type { ModelSource } from '../../model-folder/model-source.ts';
import type { ActivationRanges } from '../../model-folder/quantization.ts';
import { loadExportedStages } from '../exported-stages.ts';
import { traceInference, type InferencePrograms } from '../programs.ts';
import type { Stages } from '../stages.ts';
import { loadTracedStages } from '../traced-stages.ts';

/** File of the digest of the code, relative to this module. Not a literal at its use: webpack would look for it as an asset. */
const CODE_DIGEST_FILE = ['..', '..', 'code-digest'].join('/');

/** Name of a file that names the programs of a model. */
const RECIPE_NAME = /^[\da-f]{40}\.programs\.json$/;

/** Programs of a model in the cache: their entries, and what a traced program would say of its inputs and outputs. */
type KnownPrograms = Readonly<Record<string, { readonly entry: string; readonly signature: ProgramSignature }>>;

/** How programs are found and loaded. */
export interface StagesOptions {
  readonly cache: ProgramCache;
  /** Form in which the weights are stored; default: as they are. */
  readonly storage?: WeightStorage | undefined;
  /** Ranges of activations with which the backbone computes with integers. Default: it computes with floats. */
  readonly ranges?: ActivationRanges | undefined;
  /** Called with the name of each program before it is loaded. */
  readonly onLoad: (program: string) => void;
  /** Digest of the code, without which programs are traced; default: that of the build. */
  readonly code?: string | undefined;
}

/** Programs that were loaded before the model was read. */
export interface EarlyStages {
  /** Path of the file that names them. */
  readonly recipe: string;
  readonly stages: Stages;
}

/**
 * Loads the programs that the last start of a model used, while its files are still being read: creating the sessions takes as
 * long as reading the files, on other threads. {@link loadStages} takes them if they are those of the model, and disposes them if not.
 *
 * @param call what selects the model and its weights, such as its path
 * @param onCreating called when ONNX Runtime is creating the sessions on other threads
 * @returns undefined if there was no such start, or its programs are no longer there
 */
export const loadEarly = async (
  call: readonly unknown[],
  runtime: Promise<Runtime>,
  { cache, storage, onLoad, code }: StagesOptions,
  onCreating?: () => void,
): Promise<EarlyStages | undefined> => {
  const digest = code ?? (await codeDigest());
  if (digest === undefined) return undefined;
  try {
    const name = await readFile(callFile(digest, call, cache, storage), 'utf8');
    if (!RECIPE_NAME.test(name)) return undefined;
    const recipe = join(cache.folder, name);
    const programs = await recall(recipe, cache);
    if (programs === undefined) return undefined;
    const exported = { layout: 'parts', programs } as const;
    return { recipe, stages: await loadExportedStages(exported, await runtime, '', onLoad, true, onCreating) };
  } catch {
    return undefined; // Loaded again, with its error, when the model has been read.
  }
};

/** Disposes programs that are not needed. */
export const disposeEarly = async (early: EarlyStages | undefined): Promise<void> => {
  const { image, text, masks } = early?.stages ?? {};
  await Promise.all([image?.dispose(), text?.dispose(), masks?.dispose()]);
};

/**
 * Loads a model's programs from the cache if these were compiled by the same code before, without tracing them: tracing and
 * writing ONNX takes longer than finding the result. Otherwise traces them, and remembers where they are.
 *
 * @param early result of {@link loadEarly} for the same `call`
 * @throws {MdetrError} if a program cannot be compiled or loaded
 */
export const loadStages = async (
  source: Pick<ModelSource, 'name' | 'config' | 'model' | 'weights'>,
  runtime: Runtime,
  { cache, storage, ranges, onLoad, code }: StagesOptions,
  call: readonly unknown[] = [],
  early?: EarlyStages,
): Promise<Stages> => {
  const digest = code ?? (await codeDigest());
  const file = digest === undefined ? undefined : recipeFile(digest, source, cache, { storage, ranges });
  if (early !== undefined && early.recipe === file) return early.stages;
  await disposeEarly(early);
  const known = file === undefined ? undefined : await recall(file, cache);
  if (file !== undefined && known !== undefined) {
    try {
      const stages = await loadExportedStages({ layout: 'parts', programs: known }, runtime, source.name, onLoad, true);
      await write(callFile(digest!, call, cache, storage), basename(file), cache);
      return stages;
    } catch {
      // Another process has evicted an entry in the meantime: they are compiled again.
    }
  }
  const programs = await programsOf(source, ranges);
  const stages = await loadTracedStages(source, runtime, storage, onLoad, programs);
  if (file !== undefined) {
    await remember(file, programs, source.weights, runtime, cache, storage);
    await write(callFile(digest!, call, cache, storage), basename(file), cache);
  }
  return stages;
};

/** Path of the file that names the recipe of the last start with the same call. */
const callFile = (
  code: string,
  call: readonly unknown[],
  cache: ProgramCache,
  storage: WeightStorage | undefined,
): string => fileFor([code, ProgramCache.versions, 'call', call, storage?.name ?? ''], cache);

/** Path of a file of the cache whose name is a digest. */
const fileFor = (content: readonly unknown[], cache: ProgramCache): string =>
  join(
    cache.folder,
    `${createHash('sha256').update(JSON.stringify(content)).digest('hex').slice(0, 40)}${PROGRAMS_SUFFIX}`,
  );

/** Writes a small file into the cache. A folder that cannot be written only costs time at the next start. */
const write = async (file: string, text: string, cache: ProgramCache): Promise<void> => {
  try {
    await makeFolder(cache.folder);
    await replaceFile(file, text);
  } catch {
    // Missed at the next start.
  }
};

const programsOf = async (
  { model }: Pick<ModelSource, 'model'>,
  ranges: ActivationRanges | undefined,
): Promise<InferencePrograms> => {
  const programs = traceInference(model);
  if (ranges === undefined) return programs;
  const { quantizeProgram } = await import('../quantization/quantize-program.ts');
  return { ...programs, image: quantizeProgram(programs.image, ranges).program };
};

/** Path of the file about the programs of a model: its name is a digest of everything that determines them. */
const recipeFile = (
  code: string,
  { config, weights }: Pick<ModelSource, 'config' | 'weights'>,
  cache: ProgramCache,
  { storage, ranges }: Pick<StagesOptions, 'storage' | 'ranges'>,
): string => fileFor([code, ProgramCache.versions, config, weights.digest, storage?.name ?? '', ranges], cache);

/** Digest of the compiled code, which `scripts/build/finish.ts` writes; `undefined` for sources and foreign bundles. */
const codeDigest = async (): Promise<string | undefined> => {
  try {
    const text = await readFile(new URL(CODE_DIGEST_FILE, import.meta.url), 'utf8');
    return /^[\da-f]{64}$/.test(text) ? text : undefined;
  } catch {
    return undefined;
  }
};

/** The programs that a file names, if the cache has all of them. */
const recall = async (file: string, cache: ProgramCache): Promise<ExportedPrograms['programs'] | undefined> => {
  try {
    const known = JSON.parse(await readFile(file, 'utf8')) as KnownPrograms;
    const programs: Record<string, { readonly program: Program; readonly compiled: string }> = {};
    for (const [name, { entry, signature }] of Object.entries(known)) {
      const compiled = /^[\da-f]{40}$/.test(entry) ? await cache.find(entry) : undefined;
      if (compiled === undefined) return undefined;
      programs[name] = { program: declareProgram(name, signature), compiled };
    }
    return programs;
  } catch {
    return undefined; // There is no such file, or it is damaged.
  }
};

/** Writes which entries the cache has for a model. A folder that cannot be written only costs time. */
const remember = async (
  file: string,
  programs: InferencePrograms,
  weights: ModelSource['weights'],
  runtime: Runtime,
  cache: ProgramCache,
  storage: WeightStorage | undefined,
): Promise<void> => {
  try {
    const known: Record<string, KnownPrograms[string]> = {};
    for (const program of [programs.image, programs.text, programs.masks]) {
      if (program === undefined) continue;
      const path = await cache.compile(program, weights, runtime, storage);
      known[program.name] = { entry: basename(dirname(path)), signature: signatureOf(program) };
    }
    await write(file, JSON.stringify(known), cache);
  } catch {
    // Traced again at the next start.
  }
};

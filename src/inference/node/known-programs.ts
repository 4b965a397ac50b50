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
import { loadExportedStages } from '../exported-stages.ts';
import { traceInference, type InferencePrograms } from '../programs.ts';
import type { Stages } from '../stages.ts';
import { loadTracedStages } from '../traced-stages.ts';

/** File of the digest of the code, relative to this module. Not a literal at its use: webpack would look for it as an asset. */
const CODE_DIGEST_FILE = ['..', '..', 'code-digest'].join('/');

/** Programs of a model in the cache: their entries, and what a traced program would say of its inputs and outputs. */
type KnownPrograms = Readonly<Record<string, { readonly entry: string; readonly signature: ProgramSignature }>>;

/**
 * Loads a model's programs from the cache if these were compiled by the same code before, without tracing them: tracing and
 * writing ONNX takes longer than finding the result. Otherwise traces them, and remembers where they are.
 *
 * @param onLoad called with the name of each program before it is loaded
 * @param code digest of the code, without which programs are traced; default: that of the build
 * @throws {MdetrError} if a program cannot be compiled or loaded
 */
export const loadStages = async (
  source: Pick<ModelSource, 'name' | 'config' | 'model' | 'weights'>,
  runtime: Runtime,
  cache: ProgramCache,
  storage: WeightStorage | undefined,
  onLoad: (program: string) => void,
  code?: string,
): Promise<Stages> => {
  const digest = code ?? (await codeDigest());
  const file = digest === undefined ? undefined : recipeFile(digest, source, cache, storage);
  const known = file === undefined ? undefined : await recall(file, cache);
  if (known !== undefined) {
    try {
      return await loadExportedStages({ layout: 'parts', programs: known }, runtime, source.name, onLoad);
    } catch {
      // Another process has evicted an entry in the meantime: they are compiled again.
    }
  }
  const programs = traceInference(source.model);
  const stages = await loadTracedStages(source, runtime, storage, onLoad, programs);
  if (file !== undefined) await remember(file, programs, source.weights, runtime, cache, storage);
  return stages;
};

/** Path of the file about the programs of a model: its name is a digest of everything that determines them. */
const recipeFile = (
  code: string,
  { config, weights }: Pick<ModelSource, 'config' | 'weights'>,
  cache: ProgramCache,
  storage: WeightStorage | undefined,
): string => {
  const recipe = JSON.stringify([code, ProgramCache.versions, config, weights.digest, storage?.name ?? '']);
  return join(cache.folder, `${createHash('sha256').update(recipe).digest('hex').slice(0, 40)}${PROGRAMS_SUFFIX}`);
};

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
    await makeFolder(cache.folder);
    await replaceFile(file, JSON.stringify(known));
  } catch {
    // Traced again at the next start.
  }
};

import { statSync } from 'node:fs';
import { basename, join } from 'node:path';
import * as z from 'zod';
import { replaceFile } from '../../files/atomic-file.ts';
import { readJsonFile } from '../../files/json/json-file.ts';
import { OutputRule } from '../../files/output-rule.ts';
import { requireSources, sourcePath } from '../source/source-files.ts';
import type { Preparation, PreparationReport, PreparationRequest } from './preparation.ts';

/** Options of {@link prepareDataset}. */
export interface PrepareDatasetOptions extends PreparationRequest {
  /** Replace existing files that no earlier preparation wrote, or that changed since. Default false. */
  readonly overwrite?: boolean | undefined;
}

/** File in the output folder that lists what preparations wrote there: name, size and modification time. */
const RECORD_FILE = '.mdetr-prepared.json';

const recordSchema = z.record(z.string(), z.object({ size: z.number(), mtimeMs: z.number() }));
type WrittenFiles = z.output<typeof recordSchema>;

/**
 * Runs a preparation after checking its sources and outputs. An existing output is replaced if an earlier preparation
 * wrote it and it is unchanged, or with `overwrite`; a source is never replaced.
 *
 * @throws {MdetrError} if sources are missing, or naming file and entry of a value that cannot be used
 * @throws {UsageError} if an output exists or is a source
 */
export const prepareDataset = async (
  preparation: Preparation,
  { overwrite, ...request }: PrepareDatasetOptions,
): Promise<PreparationReport> => {
  const { from, out } = request;
  const sources = preparation.sources(request);
  requireSources(from, sources, `mdetr data prepare ${preparation.name} --explain`);
  const written = await readRecord(out);
  // Options such as --exclude name files, too.
  const inputs = [...sources.map((source) => sourcePath(from, source)), ...Object.values(request.options)];
  const rule = new OutputRule({ inputs, overwrite });
  for (const name of preparation.outputs(request)) {
    const path = join(out, name);
    const option = `--out ${out}: ${name}`;
    if (isUnchanged(path, written[name])) rule.checkInputs(path, option);
    else rule.derived(path, option);
  }
  const report = await preparation.run(request);
  const names = [...report.files, ...(report.lists ?? [])].map(({ path }) => basename(path));
  for (const name of new Set([...names, ...preparation.outputs(request)])) {
    const info = statSync(join(out, name), { throwIfNoEntry: false });
    if (info !== undefined) written[name] = { size: info.size, mtimeMs: info.mtimeMs };
  }
  await replaceFile(join(out, RECORD_FILE), `${JSON.stringify(written, undefined, 2)}\n`);
  return report;
};

/** Files that earlier preparations wrote into a folder. A file that is not such a list counts as none. */
const readRecord = async (folder: string): Promise<WrittenFiles> => {
  const path = join(folder, RECORD_FILE);
  if (statSync(path, { throwIfNoEntry: false })?.isFile() !== true) return {};
  try {
    return recordSchema.parse(await readJsonFile(path));
  } catch {
    return {};
  }
};

const isUnchanged = (path: string, known: WrittenFiles[string] | undefined): boolean => {
  const info = statSync(path, { throwIfNoEntry: false });
  return known !== undefined && info?.size === known.size && info.mtimeMs === known.mtimeMs;
};

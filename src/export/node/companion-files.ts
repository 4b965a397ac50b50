import { readFile, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { MdetrError } from '../../errors.ts';
import { readInput } from '../../files/input-file.ts';
import { readJsonFile, readTextFile } from '../../files/json/json-file.ts';
import { CALIBRATION_KEY } from '../../model-folder/calibration.ts';
import type { ExportManifest, Precision } from '../../model-folder/export-manifest.ts';
import { MODEL_FILE_NAMES } from '../../model-folder/layout.ts';
import { tokenizerFilesIn } from '../../model-folder/node/model-files.ts';
import { maxTokensOf } from '../../model-folder/model-source.ts';
import type { OpenedModel } from '../../model-folder/node/model-source.ts';
import { modelConfigKeys } from '../../models/index.ts';
import { withoutFrontMatter } from '../../model-folder/card-front-matter.ts';
import { exportCard } from '../card.ts';
import { hubPreprocessing, portableTokenizerJson, robertaTokenizerJson, tokenizerConfig } from '../portable-files.ts';
import { digestsOf, type FileDigests } from './program-files.ts';

type Contents = Omit<ExportManifest, 'format' | 'version'> & {
  /** Name of the model in its card. */
  readonly title: string;
};

/** Keys of a model's configuration that are not the network's but belong to the model. */
const MODEL_KEYS = ['notice', 'made_for', CALIBRATION_KEY];

/** Writes the files beside the programs: configuration, vocabulary, image preparation, answers, card. */
export const writeCompanions = async (
  folder: string,
  opened: OpenedModel,
  contents: Contents,
): Promise<FileDigests> => {
  const { source, companions } = opened;
  const isHub = contents.layout === 'hub';
  const names: string[] = [];
  const write = async (name: string, value: string | Uint8Array | object): Promise<void> => {
    const isJson = typeof value === 'object' && !(value instanceof Uint8Array);
    await writeFile(join(folder, name), isJson ? `${JSON.stringify(value, undefined, 2)}\n` : value);
    names.push(name);
  };
  await write(MODEL_FILE_NAMES.config, { ...configOf(opened), ...hubConfig(contents) });
  await write(MODEL_FILE_NAMES.preprocessing, hubPreprocessing(source.preprocessing));
  const tokenizer = await readTokenizer(companions.tokenizer);
  await write('tokenizer.json', isHub ? portableTokenizerJson(tokenizer, companions.tokenizer) : tokenizer);
  if (isHub) await write('tokenizer_config.json', tokenizerConfig(maxTokensOf(source.config)));
  if (companions.answers !== undefined) await write(MODEL_FILE_NAMES.answers, await readInput(companions.answers));
  const digests = await digestsOf(folder, names);
  const card = exportCard({
    ...contents,
    files: { ...contents.files, ...digests },
    name: contents.title,
    config: source.config,
    precisions: Object.keys(contents.precisions) as Precision[],
    original: await originalCard(opened),
  });
  await write(MODEL_FILE_NAMES.card, card);
  return { ...digests, ...(await digestsOf(folder, [MODEL_FILE_NAMES.card])) };
};

/** The network's configuration and the model's own keys; paths and settings of its training stay out. */
const configOf = ({ values }: OpenedModel): Record<string, unknown> =>
  Object.fromEntries(
    [...modelConfigKeys, ...MODEL_KEYS].filter((key) => values[key] !== undefined).map((key) => [key, values[key]]),
  );

/** Keys that transformers.js reads, in the hub layout only; undefined ones are not written. */
const hubConfig = ({ layout, precisions }: Contents): Record<string, unknown> => {
  if (layout !== 'hub') return {};
  const external = Object.values(precisions).flatMap(({ model }) =>
    model?.data === undefined ? [] : [[basename(model.file), 1] as const],
  );
  const format = external.length === 0 ? undefined : { use_external_data_format: Object.fromEntries(external) };
  return { model_type: 'mdetr', architectures: ['MDETR'], 'transformers.js_config': format };
};

const readTokenizer = async (path: string): Promise<Record<string, unknown>> => {
  // One of RoBERTa's two files stands for both.
  const isPair = ['vocab.json', 'merges.txt'].includes(basename(path));
  const found = await tokenizerFilesIn(isPair ? dirname(path) : path);
  const [first = path, merges] = found;
  const json = await readJsonFile(first);
  if (typeof json !== 'object' || json === null) throw new MdetrError(`${first}: must hold a JSON object`);
  return merges === undefined
    ? (json as Record<string, unknown>)
    : { ...robertaTokenizerJson(json, await readTextFile(merges)) };
};

const originalCard = async ({ path, isFolder }: OpenedModel): Promise<string | undefined> => {
  if (!isFolder) return undefined;
  const card = await readFile(join(path, MODEL_FILE_NAMES.card), 'utf8').catch(() => undefined);
  return card === undefined ? undefined : withoutFrontMatter(card);
};

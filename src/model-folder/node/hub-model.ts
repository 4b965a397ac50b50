import { MdetrError } from '../../errors.ts';
import { DEFAULT_REVISION } from '../../pull/hub-cache.ts';
import { pullRepository, type HubPullOptions, type PulledRepository } from '../../pull/hub.ts';
import { choosePrecision, EXPORT_MANIFEST_NAME, parseExportManifest, type Precision } from '../export-manifest.ts';
import { MODEL_FILE_NAMES, TOKENIZER_FILE_NAMES, WEIGHT_FILE_NAMES } from '../layout.ts';

/** How a model of the hub is found. */
export interface HubModelOptions extends Pick<
  HubPullOptions,
  'environment' | 'signal' | 'onProgress' | 'attempts' | 'offline'
> {
  /** Branch, tag or commit. Default `main`. */
  readonly revision?: string | undefined;
  /** Precision to download of an exported model. Default: the most exact one that it has. */
  readonly dtype?: Precision | undefined;
}

/** Files that any model may have beside its weights. */
const COMPANIONS: ReadonlySet<string> = new Set([
  MODEL_FILE_NAMES.config,
  MODEL_FILE_NAMES.preprocessing,
  MODEL_FILE_NAMES.answers,
  MODEL_FILE_NAMES.card,
  MODEL_FILE_NAMES.quantization,
  ...TOKENIZER_FILE_NAMES.flat(),
  'tokenizer_config.json',
  EXPORT_MANIFEST_NAME,
  'calibration.json',
]);

/**
 * Downloads the files of a model from the Hugging Face hub into its cache, unless they are there.
 *
 * @throws {MdetrError} if the repository does not exist, cannot be downloaded, or holds no MDETR model
 */
export const pullHubModel = (name: string, options: HubModelOptions = {}): Promise<PulledRepository> => {
  const { revision = DEFAULT_REVISION, dtype, ...rest } = options;
  return pullRepository(
    { name, revision },
    {
      ...rest,
      select: async (names, readJson) => {
        const companions = names.filter((file) => COMPANIONS.has(file));
        if (names.includes(EXPORT_MANIFEST_NAME)) {
          const manifest = parseExportManifest(
            await readJson(EXPORT_MANIFEST_NAME),
            `${name}: ${EXPORT_MANIFEST_NAME}`,
          );
          const { programs } = choosePrecision(manifest, dtype, name);
          const files = Object.values(programs).flatMap(({ file, data }) =>
            data === undefined ? [file] : [file, data],
          );
          const missing = files.find((file) => !names.includes(file));
          if (missing !== undefined)
            throw new MdetrError(`${name}: its ${EXPORT_MANIFEST_NAME} lists ${missing}, which is not there`);
          return [...companions, ...files];
        }
        if (!names.includes(MODEL_FILE_NAMES.config))
          throw new MdetrError(`${name}: has no ${MODEL_FILE_NAMES.config}, so it holds no model`);
        return [...companions, ...weightFiles(names)];
      },
    },
  );
};

/** The weight files that are read: one, or the shards and their index; none for a model without weights. */
const weightFiles = (names: readonly string[]): string[] => {
  const first = WEIGHT_FILE_NAMES.find((file) => names.includes(file));
  if (first === undefined) return [];
  if (!first.endsWith('.index.json')) return [first];
  const ending = first.startsWith('model') ? /^model-.*\.safetensors$/ : /^pytorch_model-.*\.bin$/;
  return [first, ...names.filter((file) => ending.test(file))];
};

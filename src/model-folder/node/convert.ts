import { parseFolderConfig, withoutVersion } from '../format-version.ts';
import { readdir, realpath, stat } from 'node:fs/promises';
import { basename, extname, join, resolve } from 'node:path';
import {
  describeMatch,
  requireComplete,
  tensorSource,
  writePth,
  writeSafetensors,
  type Checkpoint,
  type JsonValue,
  type StateDictMatch,
  type TensorSource,
} from '../../checkpoints/index.ts';
import { MdetrError, quoted, UsageError } from '../../errors.ts';
import { OutputRule } from '../../files/output-rule.ts';
import { initialValue, MdetrNetwork, textEncoderConfig, type ModelConfig } from '../../models/index.ts';
import {
  findTokenizer,
  isFile,
  openModelFiles,
  requireConfig,
  tokenizerFilesIn,
  type ModelFiles,
  type ModelFilesOptions,
} from './model-files.ts';
import { MODEL_FILE_NAMES, PREPROCESSING_KEY, TOKENIZER_FILE_NAMES } from '../layout.ts';
import { frontMatter } from '../card-front-matter.ts';
import type { Precision } from '../export-manifest.ts';
import { inPrecision, storedPrecision } from './stored-precision.ts';
import { readQuantization } from './quantization-file.ts';
import { writeModelFolder } from './write-model-folder.ts';
import { preprocessingJson } from '../preprocessing.ts';
import { preprocessingOf } from './model-source.ts';
import { matchParameters } from '../parameters.ts';

/** Options of `convertModel`. */
export interface ConvertOptions extends ModelFilesOptions {
  /** Folder or file of the vocabulary, for a model folder. */
  readonly tokenizer?: string;
  /** Path of GQA's answer table, for a model folder. */
  readonly answers?: string;
  /** Precision of the written weights. Default: that of the source. */
  readonly dtype?: Precision | undefined;
  /** Replaces an existing file or model folder. Default false. */
  readonly force?: boolean;
  /** Writes a `.pth` with weights only, which PyTorch reads with `weights_only=True`. */
  readonly bare?: boolean;
  /** Cancels the conversion; no file is left behind. */
  readonly signal?: AbortSignal;
}

/** Result of a conversion. */
export interface Conversion {
  /** Number of tensors that were written. */
  readonly tensors: number;
  /** How the tensors fit the network of the arguments; undefined if there are no arguments. */
  readonly report: string | undefined;
  /** Parts of the source that the output does not hold, such as `tokenizer.json`. */
  readonly leftOut: readonly string[];
}

const PTH_ENDINGS = ['.pth', '.pt', '.bin'];

/**
 * Converts between official checkpoints, safetensors and model folders. One tensor is in memory at a time; `out` is written
 * completely or not at all.
 *
 * @param out a `.pth` or `.safetensors` file, or, with no file extension, a model folder
 * @throws {UsageError} if `out` exists, or has another file extension
 * @throws {MdetrError} for a file that is broken or does not fit its own arguments
 * @example
 * await convertModel('pretrained_resnet101_checkpoint.pth', 'models/r101', { tokenizer: 'roberta' });
 */
export const convertModel = async (name: string, out: string, options: ConvertOptions = {}): Promise<Conversion> => {
  const ending = extname(out).toLowerCase();
  const isFileOut = ending === '.safetensors' || PTH_ENDINGS.includes(ending);
  // `models/r101.v2` is a folder as good as any; `r101.onnx` would be a surprise.
  if (!isFileOut && /^\.[a-z]{2,}$/.test(ending))
    throw new UsageError(`${out}: unknown format ${ending}; use .safetensors, .pth or a folder`);
  if (isFileOut) await checkFile(out, options.force === true);
  const files = await openModelFiles(name, options);
  try {
    if ((await realpathOf(files.path)) === (await realpathOf(out)))
      throw new UsageError(`${out}: is the model itself; name another`);
    const inputs = [files.path, files.checkpoint?.path, options.config, options.tokenizer, options.answers];
    if (isFileOut) new OutputRule({ inputs }).named(out, out);
    const config = files.config === undefined ? undefined : parseFolderConfig(files.config.values, files.config.source);
    const match = checkFit(files, config);
    const named = interruptible(officialNames(tensorsOf(files, config), match), options.signal);
    // Converting must not change the precision unasked; only a .pth cannot hold 8-bit weights with their scales.
    const isPth = isFileOut && ending !== '.safetensors';
    const kept = isPth ? undefined : storedPrecision(files.checkpoint?.tensors.values() ?? []);
    const dtype = options.dtype ?? kept;
    if (isPth && dtype === 'int8')
      throw new UsageError(`${out}: a .pth file holds no 8-bit weights; use .safetensors or a folder`);
    const tensors = dtype === undefined ? named : await inPrecision(named, dtype, options.signal);
    const values = files.config && withoutVersion(files.config.values);
    const preprocessing = config === undefined ? undefined : preprocessingJson(preprocessingOf(files, config));
    const isBare = isFileOut && ending !== '.safetensors' && options.bare === true;
    if (ending === '.safetensors') {
      const metadata: Record<string, string> = { format: 'pt' };
      if (values !== undefined) metadata['config'] = JSON.stringify(values);
      if (preprocessing !== undefined) metadata[PREPROCESSING_KEY] = JSON.stringify(preprocessing);
      await writeSafetensors(out, tensors, metadata);
    } else if (isFileOut) {
      const args = values === undefined || isBare ? undefined : { ...values, [PREPROCESSING_KEY]: preprocessing };
      await writePth(out, { model: tensors, args: args as Record<string, JsonValue> | undefined });
    } else {
      await writeFolder(files, out, tensors, options);
    }
    const report = match === undefined ? undefined : describeMatch(match);
    const leftOut = await leftOutOf(files, { isFileOut, isBare });
    if (isPth && storedPrecision(files.checkpoint?.tensors.values() ?? []) === 'int8')
      leftOut.push('the 8-bit form of the weights (written as floats)');
    return { tensors: tensors.length, report, leftOut };
  } finally {
    await files.close();
  }
};

const realpathOf = (path: string): Promise<string> => realpath(path).catch(() => resolve(path));

const checkFile = async (path: string, force: boolean): Promise<void> => {
  const info = await stat(path).catch(() => undefined);
  if (info?.isDirectory() === true) throw new UsageError(`${path}: is a folder; name a file`);
  if (info !== undefined && !force) throw new UsageError(`${path}: is there already; replace it with --overwrite`);
};

/** Checks, before anything is written, that a file has all tensors that its arguments need. */
const checkFit = ({ checkpoint }: ModelFiles, config: ModelConfig | undefined): StateDictMatch | undefined => {
  if (config === undefined || checkpoint === undefined) return undefined;
  const match = matchParameters(new MdetrNetwork(config), checkpoint);
  requireComplete(match, checkpoint.path);
  return match;
};

/** The tensors under the names that the network gives them, without the prefixes of wrappers. */
const officialNames = (
  tensors: readonly TensorSource[],
  match: StateDictMatch | undefined,
): readonly TensorSource[] => {
  const nameOf = new Map(match?.used.map(({ name, source }) => [source, name]));
  return tensors.map((tensor) => ({ ...tensor, name: nameOf.get(tensor.name) ?? tensor.name }));
};

/** Parts of the source that the output does not hold. */
const leftOutOf = async (
  { checkpoint, config, isFolder, folder, preprocessing }: ModelFiles,
  { isFileOut, isBare }: { readonly isFileOut: boolean; readonly isBare: boolean },
): Promise<string[]> => {
  const { contents, weights } = checkpoint ?? {};
  const leftOut = isFolder ? await otherFiles(folder, checkpoint, isFileOut) : [];
  if (isBare && config !== undefined) leftOut.push('the arguments');
  if (isBare && preprocessing !== undefined) leftOut.push('the image size (preprocessor_config)');
  if (weights === 'ema') leftOut.push('the last weights (model)');
  if (weights === 'model') leftOut.push('the moving average of the weights (model_ema)');
  if (contents?.optimizer !== undefined) leftOut.push("the optimizer's state");
  if (contents?.epoch !== undefined && isFileOut) leftOut.push('the epoch');
  for (const key of [...(contents?.others ?? []), ...(contents?.notTensors ?? [])].slice(0, 20)) {
    leftOut.push(quoted(key));
  }
  return leftOut;
};

/** Names of the files of a model folder that are not converted. */
const otherFiles = async (
  folder: string,
  checkpoint: Checkpoint | undefined,
  isFileOut: boolean,
): Promise<string[]> => {
  const converted = new Set<string>([
    ...(checkpoint?.files.map((path) => basename(path)) ?? []),
    MODEL_FILE_NAMES.config,
    MODEL_FILE_NAMES.preprocessing,
    ...(isFileOut ? [] : [MODEL_FILE_NAMES.answers, MODEL_FILE_NAMES.quantization, ...TOKENIZER_FILE_NAMES.flat()]),
  ]);
  return (await readdir(folder)).filter((name) => !converted.has(name) && !name.startsWith('.')).sort();
};

const tensorsOf = ({ checkpoint, seed }: ModelFiles, config: ModelConfig | undefined): readonly TensorSource[] => {
  if (checkpoint !== undefined) return [...checkpoint.tensors.values()];
  const { registry } = new MdetrNetwork(config!);
  // `position_ids` (0, 1, 2, …) is computed when it is needed.
  return registry.specs
    .filter((spec) => spec.dtype === 'float32')
    .map((spec) => {
      const lazy = tensorSource(spec.name, spec.shape, new Float32Array(0));
      return { ...lazy, read: () => readValue(initialValue(spec, seed!).data as Float32Array) };
    });
};

const readValue = (values: Float32Array): Promise<Uint8Array> =>
  Promise.resolve(new Uint8Array(values.buffer, values.byteOffset, values.byteLength));

const interruptible = (tensors: readonly TensorSource[], signal: AbortSignal | undefined): readonly TensorSource[] =>
  tensors.map(({ name, dtype, shape, ...tensor }) => ({
    name,
    dtype,
    shape,
    read: () => {
      signal?.throwIfAborted();
      return tensor.read();
    },
  }));

const writeFolder = async (
  files: ModelFiles,
  out: string,
  tensors: readonly TensorSource[],
  options: ConvertOptions,
): Promise<void> => {
  const { values, source } = requireConfig(files);
  const config = parseFolderConfig(values, source);
  const vocabulary = await findTokenizer(files.folder, config.text_encoder_type, options.tokenizer);
  const tokenizerFiles = await tokenizerFilesIn(vocabulary);
  if (tokenizerFiles.length === 0)
    throw new MdetrError(`${vocabulary}: has no tokenizer.json, and no vocab.json with merges.txt`);
  const answers = options.answers ?? join(files.folder, MODEL_FILE_NAMES.answers);
  const hasAnswers = options.answers !== undefined || (await isFile(answers));
  await writeModelFolder(
    out,
    {
      config: configFor(values, files),
      tensors,
      preprocessing: preprocessingOf(files, config),
      tokenizerFiles,
      answers: hasAnswers ? answers : undefined,
      words: (await isFile(join(files.folder, MODEL_FILE_NAMES.words)))
        ? join(files.folder, MODEL_FILE_NAMES.words)
        : undefined,
      quantization: files.isFolder ? await readQuantization(files.folder) : undefined,
      card: await cardFor(files, out, config),
    },
    { force: options.force },
  );
};

/** The arguments without the seed: the weights are now in a file. */
const configFor = (values: Readonly<Record<string, unknown>>, { seed }: ModelFiles): Record<string, unknown> =>
  Object.fromEntries(Object.entries(values).filter(([key]) => seed === undefined || key !== 'init_seed'));

const WEIGHT_CHOICES: Readonly<Record<Checkpoint['weights'], string>> = {
  ema: 'the moving average of the weights (`model_ema`)',
  model: 'the last weights (`model`), not their moving average',
  only: 'the only weights of the file',
};

const cardFor = async ({ path, checkpoint, seed }: ModelFiles, out: string, config: ModelConfig): Promise<string> => {
  const name = basename(resolve(out));
  const text = config.text_encoder === undefined ? config.text_encoder_type : `${config.text_encoder_type} (own sizes)`;
  const { hidden_size: width, num_hidden_layers: layers } = textEncoderConfig(config);
  const parameters = new MdetrNetwork(config).registry.specs
    .filter(({ dtype }) => dtype === 'float32')
    .reduce((sum, { shape }) => sum + shape.reduce((product, size) => product * size, 1), 0);
  const epoch = checkpoint?.contents.epoch;
  const origin =
    checkpoint === undefined
      ? `none: initial weights of seed ${seed!}`
      : `${WEIGHT_CHOICES[checkpoint.weights]} of \`${basename(path)}\` (${(await stat(checkpoint.path)).size} bytes)` +
        (epoch === undefined ? '' : `, epoch ${epoch}`);
  return `${frontMatter(['object-detection'])}# ${name}

An MDETR model (text-modulated detection, arXiv:2104.12763), converted by \`mdetr convert\`.

| | |
|---|---|
| Weights | ${origin} |
| Backbone | ${config.small_backbone === undefined ? config.backbone : 'small group-norm network'} |
| Text encoder | ${text}, ${layers} layers of ${width} |
| Transformer | ${config.enc_layers} + ${config.dec_layers} layers of ${config.hidden_dim}, ${config.num_queries} queries |
| Heads | ${headsOf(config).join(', ')} |
| Values | ${parameters.toLocaleString('en-US')} |
| Data, metrics | not told by the file that was converted |

    mdetr detect image.jpg --caption "what to look for" --model ${name}
`;
};

const headsOf = (config: ModelConfig): string[] => [
  'boxes and phrases',
  ...(config.contrastive_align_loss ? ['contrastive alignment'] : []),
  ...(config.predict_final ? ['isfinal'] : []),
  ...(config.do_qa ? ['question answering'] : []),
  ...(config.mask_model === 'none' ? [] : ['masks']),
];

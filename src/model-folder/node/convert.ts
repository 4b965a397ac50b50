import { stat } from 'node:fs/promises';
import { basename, extname, join, resolve } from 'node:path';
import {
  describeMatch,
  requireComplete,
  tensorSource,
  writePth,
  writeSafetensors,
  type Checkpoint,
  type JsonValue,
  type TensorSource,
} from '../../checkpoints/index.ts';
import { MdetrError, UsageError } from '../../errors.ts';
import {
  initialValue,
  MdetrNetwork,
  parseModelConfig,
  textEncoderConfig,
  type ModelConfig,
} from '../../models/index.ts';
import { findTokenizer, isFile, openModelFiles, requireConfig, tokenizerFilesIn } from './model-files.ts';
import { MODEL_FILE_NAMES } from '../layout.ts';
import type { ModelFiles, ModelFilesOptions } from './model-files.ts';
import { writeModelFolder } from './write-model-folder.ts';
import { matchParameters, readPreprocessing } from './model-source.ts';

export interface ConvertOptions extends ModelFilesOptions {
  /** Vocabulary files for a model folder. */
  readonly tokenizer?: string;
  /** GQA's table of answers, for a model folder. */
  readonly answers?: string;
  /** Replace what is there. */
  readonly force?: boolean;
  /** A `.pth` with nothing but weights, which PyTorch reads with `weights_only=True`. */
  readonly bare?: boolean;
  /** Ends the work; nothing is left behind. */
  readonly signal?: AbortSignal;
}

/** The written tensors, and how they fit the network that the arguments describe. */
export interface Conversion {
  readonly tensors: number;
  /** Undefined where no arguments say what network the file is for. */
  readonly report: string | undefined;
}

const pthEndings = ['.pth', '.pt', '.bin'];

/**
 * Converts between official checkpoints, safetensors and model folders; the ending of `out` says which, none means a
 * folder. One tensor is in memory at a time; `out` appears whole or not at all. Throws `UsageError` where something is
 * in the way, `MdetrError` for a file that is broken or does not fit its own arguments.
 */
export const convertModel = async (name: string, out: string, options: ConvertOptions = {}): Promise<Conversion> => {
  const ending = extname(out).toLowerCase();
  const isFileOut = ending === '.safetensors' || pthEndings.includes(ending);
  // `models/r101.v2` is a folder as good as any; `r101.onnx` would be a surprise.
  if (!isFileOut && /^\.[a-z]{2,}$/.test(ending))
    throw new UsageError(`${out}: nothing is written as ${ending}: end it with .safetensors or .pth, or name a folder`);
  if (isFileOut) await checkFile(out, options.force === true);
  const files = await openModelFiles(name, options);
  try {
    if (resolve(files.path) === resolve(out)) throw new UsageError(`${out}: is the model itself; name another`);
    const config = files.config === undefined ? undefined : parseModelConfig(files.config.values, files.config.source);
    const tensors = interruptible(tensorsOf(files, config), options.signal);
    const report = checkFit(files, config);
    const values = files.config?.values;
    if (ending === '.safetensors') {
      const metadata: Record<string, string> = { format: 'pt' };
      if (values !== undefined) metadata['config'] = JSON.stringify(values);
      await writeSafetensors(out, tensors, metadata);
    } else if (isFileOut) {
      const args = values === undefined || options.bare === true ? {} : { args: values as Record<string, JsonValue> };
      await writePth(out, { model: tensors, ...args });
    } else {
      await writeFolder(files, out, tensors, options);
    }
    return { tensors: tensors.length, report };
  } finally {
    await files.close();
  }
};

const checkFile = async (path: string, force: boolean): Promise<void> => {
  const info = await stat(path).catch(() => undefined);
  if (info?.isDirectory() === true) throw new UsageError(`${path}: is a folder; name a file`);
  if (info !== undefined && !force) throw new UsageError(`${path}: is there already; replace it with --force`);
};

/** A file that lacks what its own arguments ask for is refused before anything is written. */
const checkFit = ({ checkpoint }: ModelFiles, config: ModelConfig | undefined): string | undefined => {
  if (config === undefined || checkpoint === undefined) return undefined;
  const match = matchParameters(new MdetrNetwork(config), checkpoint);
  requireComplete(match, checkpoint.path);
  return describeMatch(match);
};

const tensorsOf = ({ checkpoint, seed }: ModelFiles, config: ModelConfig | undefined): readonly TensorSource[] => {
  if (checkpoint !== undefined) return [...checkpoint.tensors.values()];
  const { registry } = new MdetrNetwork(config!);
  // `position_ids` (0, 1, 2, …) is made anew by whoever needs it.
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
  const config = parseModelConfig(values, source);
  const vocabulary = await findTokenizer(files.folder, config.text_encoder_type, options.tokenizer);
  const tokenizerFiles = await tokenizerFilesIn(vocabulary);
  if (tokenizerFiles.length === 0)
    throw new MdetrError(`${vocabulary}: holds no tokenizer.json, and no vocab.json with merges.txt`);
  const answers = options.answers ?? join(files.folder, MODEL_FILE_NAMES.answers);
  const hasAnswers = options.answers !== undefined || (await isFile(answers));
  await writeModelFolder(
    out,
    {
      config: configFor(values, files),
      tensors,
      preprocessing: await readPreprocessing(join(files.folder, MODEL_FILE_NAMES.preprocessing), config),
      tokenizerFiles,
      ...(hasAnswers ? { answers } : {}),
      card: await cardFor(files, out, config),
    },
    { force: options.force },
  );
};

/** The arguments as they are, less the seed of a network whose weights are now in a file. */
const configFor = (values: Readonly<Record<string, unknown>>, { seed }: ModelFiles): Record<string, unknown> =>
  Object.fromEntries(Object.entries(values).filter(([key]) => seed === undefined || key !== 'init_seed'));

const whichWeights: Readonly<Record<Checkpoint['weights'], string>> = {
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
      : `${whichWeights[checkpoint.weights]} of \`${basename(path)}\` (${(await stat(checkpoint.path)).size} bytes)` +
        (epoch === undefined ? '' : `, epoch ${epoch}`);
  return `# ${name}

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

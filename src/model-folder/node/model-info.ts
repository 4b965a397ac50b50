import { parseFolderConfig } from '../format-version.ts';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import {
  describeMatch,
  type CheckpointContents,
  type CheckpointDtype,
  type TensorEntry,
} from '../../checkpoints/index.ts';
import { messageOf } from '../../errors.ts';
import { readJsonFile } from '../../files/json/json-file.ts';
import { MdetrNetwork } from '../../models/index.ts';
import { readWordRecord, type WordRecord } from './known-words.ts';
import { isFile, openModelFiles, tokenizerFilesIn, type ModelFiles, type ModelFilesOptions } from './model-files.ts';
import { matchParameters } from '../parameters.ts';
import type { Quantization } from '../quantization.ts';
import { readQuantization } from './quantization-file.ts';

/** Name, type and shape of a tensor of a weight file. */
export interface InfoTensor {
  /** Official `state_dict` key. */
  readonly name: string;
  /** Element type. */
  readonly dtype: CheckpointDtype;
  /** Sizes of the dimensions. */
  readonly shape: readonly number[];
}

/** Tensors of one part of the network. */
export interface InfoPart {
  /** Name of the part of the network. */
  readonly part: string;
  /** Number of tensors. */
  readonly tensors: number;
  /** Number of elements. */
  readonly parameters: number;
}

/** Description of a model or checkpoint, whether or not a network fits it. */
export interface ModelInfo {
  /** Path of the folder or file. */
  readonly path: string;
  /** Kind of file or folder. */
  readonly format: 'model folder' | 'PyTorch, zip' | 'PyTorch, legacy' | 'safetensors';
  /** Size of the weight files; 0 for an untrained folder. */
  readonly bytes: number;
  /** Set of weights that `tensors` describes. */
  readonly weights: 'model' | 'ema' | 'only' | 'initial';
  /** Parts of a training checkpoint; undefined for other files. */
  readonly contents: CheckpointContents | undefined;
  /** Tensors of the selected weights. */
  readonly tensors: readonly InfoTensor[];
  /** Sizes of the parts of the network. */
  readonly parts: readonly InfoPart[];
  /** Official arguments. */
  readonly args: Readonly<Record<string, unknown>> | undefined;
  /** How the tensors fit the network that the arguments describe. */
  readonly fit: { readonly fits: boolean; readonly report: string };
  /** The model folder's log of its training (`training.json`). */
  readonly training: unknown;
  /** Note of the model folder about what the model can do. */
  readonly notice: string | undefined;
  /** Paths of the vocabulary files beside the weights. */
  readonly tokenizer: readonly string[];
  /** Words of the captions of its training, if the folder records them. */
  readonly words: WordRecord | undefined;
  /** Ranges of activations for int8, if `mdetr quantize` measured them. */
  readonly quantization: Quantization | undefined;
}

const FORMAT_TITLES = {
  'pth-zip': 'PyTorch, zip',
  'pth-legacy': 'PyTorch, legacy',
  safetensors: 'safetensors',
} as const;

/**
 * Describes a model without reading its weights.
 *
 * @throws {MdetrError} if the file is not a model or checkpoint
 * @example
 * const { tensors, fit } = await describeModel('pretrained_resnet101_checkpoint.pth');
 */
export const describeModel = async (name: string, options: ModelFilesOptions = {}): Promise<ModelInfo> => {
  const files = await openModelFiles(name, options);
  try {
    const { checkpoint, config, isFolder, folder, path } = files;
    const { tensors, fit } = fitOf(files);
    const training = join(folder, 'training.json');
    const notice = config?.values['notice'];
    return {
      path,
      format: isFolder ? 'model folder' : FORMAT_TITLES[checkpoint!.format],
      bytes: await bytesOf(checkpoint?.files ?? []),
      weights: checkpoint?.weights ?? 'initial',
      contents: checkpoint?.contents,
      tensors,
      parts: partsOf(tensors),
      args: config?.values,
      fit,
      training: isFolder && (await isFile(training)) ? await readJsonFile(training) : undefined,
      notice: typeof notice === 'string' ? notice : undefined,
      tokenizer: await tokenizerFilesIn(folder),
      words: isFolder ? await readWordRecord(folder) : undefined,
      quantization: isFolder ? await readQuantization(folder) : undefined,
    };
  } finally {
    await files.close();
  }
};

const bytesOf = async (paths: readonly string[]): Promise<number> =>
  (await Promise.all(paths.map((path) => stat(path)))).reduce((sum, { size }) => sum + size, 0);

const fitOf = ({ checkpoint, config, seed }: ModelFiles): Pick<ModelInfo, 'tensors' | 'fit'> => {
  const stored = checkpoint === undefined ? [] : [...checkpoint.tensors.values()].map(plain);
  if (config === undefined)
    return { tensors: stored, fit: { fits: false, report: 'it does not say what network it is for (no arguments)' } };
  try {
    const model = new MdetrNetwork(parseFolderConfig(config.values, config.source));
    if (checkpoint === undefined) {
      const made = model.registry.specs.map(({ name, shape, dtype }) =>
        plain({ name, shape, dtype: dtype === 'int64' ? 'i64' : 'f32' }),
      );
      return { tensors: made, fit: { fits: true, report: `no weights: made from seed ${seed!}` } };
    }
    const match = matchParameters(model, checkpoint);
    const fits = match.missing.length === 0 && match.mismatched.length === 0;
    return { tensors: stored, fit: { fits, report: describeMatch(match) } };
  } catch (error) {
    return { tensors: stored, fit: { fits: false, report: messageOf(error) } };
  }
};

const plain = ({ name, dtype, stored, shape }: InfoTensor & Pick<TensorEntry, 'stored'>): InfoTensor => ({
  name,
  dtype: stored ?? dtype,
  shape,
});

/** Prefixes of official names, and the parts of the network that they name; the first match counts. */
const officialParts: readonly (readonly [pattern: RegExp, part: string])[] = [
  [/^backbone\.0\./, 'backbone'],
  [/^backbone\.1\./, 'positions'],
  [/^input_proj\./, 'image projection'],
  [/^transformer\.text_encoder\./, 'text encoder'],
  [/^transformer\.resizer\./, 'text projection'],
  [/^transformer\.encoder\./, 'joint encoder'],
  [/^transformer\.decoder\./, 'decoder'],
  [/^transformer\.CLS\./, 'image-text contrast'],
  [/^contrastive_projection_/, 'image-text contrast'],
  [/^contrastive_align_projection_/, 'contrastive alignment'],
  [/^(query|qa)_embed\./, 'queries'],
  [/^(class|bbox|isfinal)_embed\./, 'detection heads'],
  [/^answer_\w*head\./, 'question heads'],
  [/^(bbox_attention|mask_head)\./, 'mask head'],
];

const partOf = (name: string): string => {
  const inner = name.replace(/^module\./, '').replace(/^detr\./, '');
  const known = officialParts.find(([pattern]) => pattern.test(inner));
  return known?.[1] ?? inner.split('.').slice(0, 2).join('.');
};

const partsOf = (tensors: readonly InfoTensor[]): InfoPart[] => {
  const parts = new Map<string, { tensors: number; parameters: number }>();
  for (const { name, shape } of tensors) {
    const part = parts.get(partOf(name)) ?? { tensors: 0, parameters: 0 };
    part.tensors += 1;
    part.parameters += shape.reduce((product, size) => product * size, 1);
    parts.set(partOf(name), part);
  }
  return [...parts].map(([part, counts]) => ({ part, ...counts }));
};

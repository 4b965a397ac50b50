import type { Precision } from '../model-folder/precision.ts';
import {
  booleanRule,
  functionRule,
  integerFrom,
  numberFrom,
  stringRule,
  withoutUndefined,
  type OptionRule,
  type OptionRules,
} from '../options/check-options.ts';
import { UsageError } from '../errors.ts';
import type { LabelStudio } from './label-studio/label-studio.ts';
import type { LogEntry } from './log.ts';

/** A model that a server offers, and how to load it. */
export interface ServerModel {
  /** Name in requests and in `GET /v1/models`. */
  readonly name: string;
  /** Model folder, `.pth` or `.safetensors` file, or name of an embedded or pulled model; by default `name`. */
  readonly path?: string | undefined;
  /** Which weights of a training checkpoint. Default: the moving average (`ema`) if there is one. */
  readonly weights?: 'model' | 'ema' | undefined;
  /** Folder of the vocabulary's files, for a bare checkpoint. */
  readonly tokenizer?: string | undefined;
  /** JSON file with the official arguments, for weights without them. */
  readonly config?: string | undefined;
  /** Path of GQA's answer table, for its question heads. */
  readonly answers?: string | undefined;
  /** Precision in which the compiled weights are stored; default as for `MDETR.fromPretrained`. */
  readonly dtype?: Precision | undefined;
}

/** Options of `createHandler` and of `mdetr serve`. */
export interface ServerOptions {
  /** Models by name; the first one answers requests that name none. Default: the embedded model. */
  readonly models?: readonly (string | ServerModel)[] | undefined;
  /** Inference processes. Each loads all models; compiled weights are mapped from the cache and shared. Default 1. */
  readonly workers?: number | undefined;
  /** `cpu` (default), or `webgpu`, `cuda`, `coreml`, `dml` where the machine has them. */
  readonly device?: string | undefined;
  /** Threads of the network in each worker; ONNX Runtime's choice by default. */
  readonly threads?: number | undefined;
  /** Folder of compiled programs; by default the system's cache folder, or `MDETR_CACHE`. */
  readonly cacheDir?: string | undefined;
  /** Maximum number of images, and of captions, in one run of the network. Default 8. */
  readonly batchSize?: number | undefined;
  /** Requests are refused (503) if they would wait longer than this many seconds. Default: 4 × the measured time of one. */
  readonly queueS?: number | undefined;
  /** Maximum number of requests that wait or run. Default 1000. */
  readonly maxQueue?: number | undefined;
  /** Deadline of a request in seconds, from its first byte; then it is canceled (504). Default 60. */
  readonly timeoutS?: number | undefined;
  /** Maximum size of a request's body in bytes. Default 32 MiB. */
  readonly maxBodyBytes?: number | undefined;
  /** Maximum bytes of all bodies in memory; beyond it, requests are refused (503). Default 512 MiB. */
  readonly maxTotalBytes?: number | undefined;
  /** Maximum seconds in which a body must arrive (408). Default 30. */
  readonly bodyTimeoutS?: number | undefined;
  /** Images with more pixels are refused. Default 50 million. */
  readonly maxPixels?: number | undefined;
  /** Maximum number of captions, expressions or questions in one request. Default 64. */
  readonly maxTexts?: number | undefined;
  /** Maximum number of requests of one client address at a time (429); by default there is none. */
  readonly maxPerClient?: number | undefined;
  /** Memory for encoded images in each worker, in bytes; 0 keeps none. Default 512 MiB. */
  readonly imageCacheBytes?: number | undefined;
  /** Bearer token that requests to `/v1` and `/metrics` must carry; none by default. */
  readonly token?: string | undefined;
  /** Origins whose pages may call the server (CORS), or `*`; none by default. */
  readonly cors?: readonly string[] | undefined;
  /** Host names that requests may address; others are refused (421). By default every name. */
  readonly hosts?: readonly string[] | undefined;
  /** Accept http and https URLs as images. Only public addresses are fetched. Default false. */
  readonly allowUrls?: boolean | undefined;
  /** Path that the server is mounted under: `/api/mdetr`. */
  readonly basePath?: string | undefined;
  /**
   * Answer the protocol of Label Studio's machine learning backends too, and fetch images that were uploaded to the Label
   * Studio at this address. Default false.
   */
  readonly labelStudio?: boolean | LabelStudio | undefined;
  /** Called with each log entry. Entries contain no image, no text and no file name. */
  readonly onLog?: ((entry: LogEntry) => void) | undefined;
}

/** Values of options that are not given. */
export const SERVER_DEFAULTS = {
  models: ['default'],
  workers: 1,
  device: 'cpu',
  batchSize: 8,
  maxQueue: 1000,
  timeoutS: 60,
  maxBodyBytes: 32 * 2 ** 20,
  maxTotalBytes: 512 * 2 ** 20,
  bodyTimeoutS: 30,
  maxPixels: 50e6,
  maxTexts: 64,
  imageCacheBytes: 512 * 2 ** 20,
  cors: [],
  allowUrls: false,
  basePath: '',
  labelStudio: false,
} as const satisfies ServerOptions;

/** Default of `queueS`, as a multiple of the measured time of one request. */
export const QUEUE_FACTOR = 4;

const stringsRule: OptionRule = {
  expected: 'an array of strings that are not empty',
  accepts: (value) => Array.isArray(value) && value.every((item) => stringRule.accepts(item)),
};

const modelsRule: OptionRule = {
  expected: 'an array of names, or of objects with a name and a path',
  accepts: (value) =>
    Array.isArray(value) &&
    value.length > 0 &&
    value.every(
      (item: unknown) =>
        stringRule.accepts(item) ||
        (typeof item === 'object' && item !== null && 'name' in item && stringRule.accepts(item.name)),
    ),
};

/** Rules of `ServerOptions`. */
export const serverOptionRules: OptionRules<ServerOptions> = {
  models: modelsRule,
  workers: integerFrom(1),
  device: stringRule,
  threads: integerFrom(1),
  cacheDir: stringRule,
  batchSize: integerFrom(1),
  queueS: numberFrom(0),
  maxQueue: integerFrom(1),
  timeoutS: numberFrom(0),
  maxBodyBytes: integerFrom(1),
  maxTotalBytes: integerFrom(1),
  bodyTimeoutS: numberFrom(0),
  maxPixels: numberFrom(1),
  maxTexts: integerFrom(1),
  maxPerClient: integerFrom(1),
  imageCacheBytes: integerFrom(0),
  token: stringRule,
  cors: stringsRule,
  hosts: stringsRule,
  allowUrls: booleanRule,
  basePath: {
    expected: 'a path such as /api',
    accepts: (value) => value === '' || /^(\/[\w.~-]+)+$/.test(String(value)),
  },
  labelStudio: {
    expected: 'true, false, or an object with the url of a Label Studio, and a token',
    accepts: (value) =>
      booleanRule.accepts(value) ||
      (typeof value === 'object' && value !== null && 'url' in value && URL.canParse(String(value.url))),
  },
  onLog: functionRule,
};

/** Options with their defaults. */
export type ServerSettings = ServerOptions & {
  readonly [Key in keyof typeof SERVER_DEFAULTS]: NonNullable<ServerOptions[Key]>;
} & { readonly models: readonly ServerModel[] };

/** Fills in the defaults. @throws {UsageError} for two models of one name */
export const serverSettings = (options: ServerOptions): ServerSettings => {
  const { models, ...settings } = { ...SERVER_DEFAULTS, ...withoutUndefined(options) };
  const named = models.map((model): ServerModel => (typeof model === 'string' ? { name: model } : model));
  const names = named.map(({ name }) => name);
  const twice = names.find((name, index) => names.indexOf(name) < index);
  if (twice !== undefined) throw new UsageError(`two models are called "${twice}": give each a name of its own`);
  return { ...settings, models: named };
};

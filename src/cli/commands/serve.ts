import { basename } from 'node:path';
import { Command, InvalidArgumentError } from 'commander';
import { MdetrError, UsageError } from '../../errors.ts';
import { SERVER_DEFAULTS, type ServerModel, type ServerOptions } from '../../server/options.ts';
import { unlessAborted } from '../../threads/unless-aborted.ts';
import { addDeviceOptions, addSourceOptions, type ModelOptions } from '../options/model-options.ts';
import { ensureNativeLibrary } from '../options/native-library.ts';
import { collect, integerFrom, millions } from '../options/option-values.ts';
import { StopSignals } from '../options/stop-signals.ts';
import { note, print } from '../output/print.ts';
import { keepYoungSpaceSmall } from '../start/frugal-start.ts';

interface ServeOptions extends Omit<ModelOptions, 'model' | 'verbose'> {
  readonly model?: readonly ServerModel[];
  readonly answers?: string;
  readonly host: string;
  readonly port: number;
  readonly allowHost?: readonly string[];
  readonly token?: string;
  readonly cors?: readonly string[];
  readonly workers: number;
  readonly batchSize: number;
  readonly queueTime?: number;
  readonly queueLength: number;
  readonly timeout: number;
  readonly maxBody: number;
  readonly bodyTimeout: number;
  readonly maxPixels?: number;
  readonly maxTexts: number;
  readonly maxPerClient?: number;
  readonly imageCache: number;
  readonly allowUrls?: boolean;
  readonly labelStudio?: string | true;
  readonly quiet?: boolean;
}

const MEBIBYTE = 2 ** 20;

/** Loopback addresses. */
const LOOPBACK = ['127.0.0.1', '::1', 'localhost'];

const seconds = (text: string): number => {
  const value = Number(text);
  if (text.trim() === '' || !(value > 0 && value <= 86_400))
    throw new InvalidArgumentError('It must be a positive number of seconds.');
  return value;
};

const port = (text: string): number => {
  const value = integerFrom(0)(text);
  if (value > 65_535) throw new InvalidArgumentError('It must be at most 65535.');
  return value;
};

/** Collects models: `NAME=MODEL`, or `MODEL`, which is called by the last part of its path. */
const collectModels = (text: string, before: readonly ServerModel[] | undefined): readonly ServerModel[] => {
  const [, name, path] = /^([\w.-]+)=(.+)$/.exec(text) ?? [];
  return [...(before ?? []), { name: name ?? basename(text), path: path ?? text }];
};

const EXAMPLES = `
Paths
  POST /v1/detect, /v1/refer, /v1/ask   an image and a caption, expression or question; or several
  GET  /v1/models                       models by name
  GET  /docs, /openapi.json             how to call it
  GET  /healthz, /readyz, /metrics      for orchestrators and Prometheus

The log goes to stderr, one JSON object per line; it contains no image, no text and no file name. The address is printed
on stdout once the server is ready. SIGTERM and Ctrl-C finish the accepted requests; a second one ends it at once.

Examples
  mdetr serve
      the embedded model on http://127.0.0.1:8080, for this machine only
  curl -F image=@street.jpg -F 'caption=a man in a red coat' http://127.0.0.1:8080/v1/detect
  curl -F image=@street.jpg -F 'question=what color is the coat?' http://127.0.0.1:8080/v1/ask
  MDETR_TOKEN=… mdetr serve --host 0.0.0.0 --workers 2 --threads 4
      for other machines, which send "Authorization: Bearer …"
  mdetr serve --model small=default --model large=models/resnet101/
      two models; requests name one with "model", else the first one answers
  mdetr serve --image-cache 2048 --queue-time 10
      2 GiB of encoded images in each worker; requests wait up to 10 seconds`;

/** `mdetr serve`: answers over HTTP. */
export const serveCommand = (): Command => {
  const command = new Command('serve').description(
    'Answer detect, refer and ask over HTTP, with an OpenAPI document, health checks and metrics.',
  );
  command.option(
    '--model <model>',
    'model folder, weight file or name of a model, also as NAME=MODEL; may be repeated (default: default)',
    collectModels,
  );
  addDeviceOptions(addSourceOptions(command));
  return command
    .option('--answers <file>', "GQA's answer table (JSON), for models trained on GQA")
    .option('--host <address>', 'address to listen on; 0.0.0.0 for all', '127.0.0.1')
    .option('--port <n>', 'port to listen on; 0 takes a free one', port, 8080)
    .option('--allow-host <name>', 'host name that requests may address; may be repeated', collect)
    .option('--token <token>', 'bearer token that requests must carry (better: the variable MDETR_TOKEN)')
    .option('--cors <origin>', 'origin whose pages may call the server, or *; may be repeated', collect)
    .option('--workers <n>', 'inference processes', integerFrom(1), SERVER_DEFAULTS.workers)
    .option(
      '--batch-size <n>',
      'maximum number of images, and of captions, in one run of the network',
      integerFrom(1),
      SERVER_DEFAULTS.batchSize,
    )
    .option('--queue-time <s>', 'refuse requests that would wait longer (default: 4 × the time of one)', seconds)
    .option(
      '--queue-length <n>',
      'maximum number of requests that wait or run',
      integerFrom(1),
      SERVER_DEFAULTS.maxQueue,
    )
    .option('--timeout <s>', 'deadline of a request', seconds, SERVER_DEFAULTS.timeoutS)
    .option('--max-body <MiB>', 'maximum size of a body', integerFrom(1), SERVER_DEFAULTS.maxBodyBytes / MEBIBYTE)
    .option('--body-timeout <s>', 'time in which a body must arrive', seconds, SERVER_DEFAULTS.bodyTimeoutS)
    .option('--max-pixels <millions>', 'maximum pixels of an image, in millions (default: 50)', millions)
    .option(
      '--max-texts <n>',
      'maximum number of captions, expressions or questions in one request',
      integerFrom(1),
      SERVER_DEFAULTS.maxTexts,
    )
    .option('--max-per-client <n>', 'maximum number of requests of one address at a time', integerFrom(1))
    .option(
      '--image-cache <MiB>',
      'memory for encoded images in each worker; 0 keeps none',
      integerFrom(0),
      SERVER_DEFAULTS.imageCacheBytes / MEBIBYTE,
    )
    .option('--allow-urls', 'accept http and https URLs of public addresses as images')
    .option(
      '--label-studio [url]',
      'also be a machine learning backend of Label Studio; images uploaded there are fetched with LABEL_STUDIO_API_KEY',
    )
    .option('--quiet', 'do not log requests that succeed')
    .addHelpText('after', EXAMPLES)
    .action((options: ServeOptions) => {
      keepYoungSpaceSmall();
      return serve(options);
    });
};

/** Maps options of the command line to those of the server. */
const serverOptions = (options: ServeOptions): ServerOptions => {
  const { model, weights, tokenizer, config, answers, dtype, device, threads, host, allowHost } = options;
  const isLocal = LOOPBACK.includes(host);
  return {
    models: (model ?? [{ name: 'default' }]).map((named) => ({ ...named, weights, tokenizer, config, answers, dtype })),
    workers: options.workers,
    device,
    threads,
    batchSize: options.batchSize,
    queueS: options.queueTime,
    maxQueue: options.queueLength,
    timeoutS: options.timeout,
    maxBodyBytes: options.maxBody * MEBIBYTE,
    bodyTimeoutS: options.bodyTimeout,
    maxPixels: options.maxPixels,
    maxTexts: options.maxTexts,
    maxPerClient: options.maxPerClient,
    imageCacheBytes: options.imageCache * MEBIBYTE,
    token: options.token ?? process.env['MDETR_TOKEN'],
    cors: options.cors,
    allowUrls: options.allowUrls,
    labelStudio: labelStudioOf(options.labelStudio),
    // A page of another site can make its own name mean 127.0.0.1; only these names are answered there.
    hosts: isLocal ? ['127.0.0.1', 'localhost', '[::1]', ...(allowHost ?? [])] : allowHost,
  };
};

const labelStudioOf = (url: string | true | undefined): ServerOptions['labelStudio'] => {
  if (typeof url !== 'string') return url;
  if (!/^https?:\/\//.test(url) || !URL.canParse(url))
    throw new UsageError(`--label-studio: "${url.slice(0, 100)}" is not an http or https URL`);
  return { url, token: process.env['LABEL_STUDIO_API_KEY'] };
};

const serve = async (options: ServeOptions): Promise<void> => {
  const settings = serverOptions(options);
  if (settings.token === '') throw new UsageError('the token is empty: set MDETR_TOKEN, or unset it');
  await ensureNativeLibrary(options.device);
  const { createHandler, listen } = await import('../../entries/server.ts');
  const { logLine } = await import('../../server/log.ts');
  const handler = createHandler({
    ...settings,
    onLog: (entry) => {
      if (options.quiet !== true || entry.event !== 'request' || entry.status >= 400)
        process.stderr.write(logLine(entry));
    },
  });
  const signals = new StopSignals();
  try {
    const server = await listen(handler, { host: options.host, port: options.port, bodyTimeoutS: options.bodyTimeout });
    try {
      await unlessAborted(signals.signal, () => handler.ready());
      if (settings.token === undefined && !LOOPBACK.includes(options.host))
        note('other machines can use this server without a token: set MDETR_TOKEN to ask for one');
      print(`${server.url}\n`);
      await unlessAborted(signals.signal, () => new Promise(() => undefined));
    } catch (error) {
      if (!signals.signal.aborted)
        throw error instanceof MdetrError ? error : new MdetrError(`the worker cannot start: ${String(error)}`);
    } finally {
      await server.close();
    }
  } finally {
    signals.forget();
  }
};

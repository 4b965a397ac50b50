import { Presets, SingleBar } from 'cli-progress';
import { Command } from 'commander';
import { UsageError } from '../../errors.ts';
import { CATALOG, findPublished, TOKENIZERS, type Published } from '../../pull/catalog.ts';
import { isHubName } from '../../pull/hub-cache.ts';
import type { DownloadProgress } from '../../pull/download.ts';
import { interruptible } from '../options/stop-signals.ts';
import { note, print } from '../output/print.ts';
import { formatBytes, formatTable } from '../output/table.ts';

interface PullCliOptions {
  readonly revision: string;
  readonly list?: boolean;
  readonly alone?: boolean;
  readonly force?: boolean;
  readonly offline?: boolean;
  readonly json?: boolean;
}

const EXAMPLES = `
Files are saved in the cache folder ("mdetr cache path"; MDETR_CACHE selects another one). An interrupted download is
resumed. Every file is checked against its published digest: MD5 of the official record, SHA-256 or git digest of the
Hugging Face hub. It appears under its name only when it is complete and correct. The vocabulary of a checkpoint is
downloaded with it.

Environment
  MDETR_CHECKPOINTS_URL   URL of a mirror of the checkpoints: URL/pretrained_resnet101_checkpoint.pth, and URL/SHA256SUMS
                          or URL/MD5SUMS
  MDETR_BACKBONES_URL     URL of a mirror of torchvision's and timm's backbones
  HF_ENDPOINT, HF_TOKEN   URL of a mirror of the Hugging Face hub; its access token
  MDETR_OFFLINE=1, HF_HUB_OFFLINE=1   same as --offline
  https_proxy, http_proxy, no_proxy   proxy settings, read as by curl

Examples
  mdetr pull --list
  mdetr pull roberta-base
  mdetr pull resnet101 roberta-base-weights
      initial weights of pre-training (backbone_weights, text_encoder_weights)
  mdetr pull OWNER/NAME --revision v1
      a model folder or exported folder of the hub, into the cache of Hugging Face's libraries (HF_HOME, HF_HUB_CACHE)
  mdetr pull pretrained_resnet101
      or mdetr_resnet101, its name in the official hubconf.py (torch.hub)
  mdetr detect street.jpg --caption "a dog" --model pretrained_resnet101
  MDETR_CHECKPOINTS_URL=https://mirror.example/mdetr mdetr pull refcoco_EB3 refcoco+_EB3`;

/** `mdetr pull`: downloads published checkpoints and vocabularies. */
export const pullCommand = (): Command =>
  new Command('pull')
    .description(
      'Download published checkpoints and vocabularies into the cache folder. Downloads are resumable and checked.',
    )
    .argument('[name...]', 'names of "mdetr pull --list", or OWNER/NAME of a model on the Hugging Face hub')
    .option('--revision <name>', 'branch, tag or commit of models of the hub', 'main')
    .option('--list', 'list the published files and whether they are downloaded')
    .option('--alone', 'download a checkpoint without its vocabulary')
    .option('--force', 'download again what is in the cache')
    .option('--offline', 'download nothing; fail for files that are not in the cache')
    .option('--json', 'print one JSON object per file and line')
    .addHelpText('after', EXAMPLES)
    .action(async (names: string[], options: PullCliOptions) => {
      if (options.list === true) return list(options);
      if (names.length === 0) throw new UsageError('name what to download: "mdetr pull --list" lists the names');
      const [hubNames, others] = [names.filter(isHubName), names.filter((name) => !isHubName(name))];
      const entries = await withVocabularies(await Promise.all(others.map(lookUp)), options);
      await interruptible(async (signal) => {
        await pullAll(entries, options, signal);
        for (const name of hubNames) await pullFromHub(name, options, signal);
      });
    });

const lookUp = async (name: string): Promise<Published> => {
  const entry = findPublished(name);
  if (entry !== undefined) return entry;
  const { nearestKey } = await import('../../options/nearest-key.ts');
  const nearest = nearestKey(
    name,
    CATALOG.map((published) => published.name),
  );
  throw new UsageError(
    `"${name}" is not published under that name${nearest === undefined ? '' : `; did you mean "${nearest}"?`} ("mdetr pull --list" lists all names)`,
  );
};

/** Adds the vocabularies of checkpoints, which come first: they are small, and a checkpoint needs one. */
const withVocabularies = async (
  entries: readonly Published[],
  { alone, force }: PullCliOptions,
): Promise<readonly Published[]> => {
  if (alone === true) return [...new Set(entries)];
  const [{ isPulled }, { cacheFolder }] = await modules();
  const needed: Published[] = [];
  for (const entry of entries) {
    const vocabulary = TOKENIZERS.find(({ name }) => entry.kind === 'checkpoint' && name === entry.tokenizer);
    if (vocabulary !== undefined && (force === true || !(await isPulled(vocabulary, cacheFolder()))))
      needed.push(vocabulary);
  }
  return [...new Set([...needed, ...entries])];
};

// Loaded late: help and wrong calls need neither the network nor the cache.
const modules = () => Promise.all([import('../../pull/pull.ts'), import('../../files/cache-folder.ts')]);

const pullFromHub = async (name: string, options: PullCliOptions, signal: AbortSignal): Promise<void> => {
  const { pullHubModel } = await import('../../model-folder/node/hub-model.ts');
  const bar = new BytesBar();
  try {
    const { folder, commit, files } = await pullHubModel(name, {
      revision: options.revision,
      offline: options.offline === true,
      signal,
      onProgress: ({ file, ...progress }) => bar.show(file, progress),
    });
    bar.clear();
    const bytes = files.reduce((sum, file) => sum + file.bytes, 0);
    print(
      options.json === true
        ? `${JSON.stringify({ name, path: folder, commit, files })}\n`
        : `${folder}: ${files.length} files, ${formatBytes(bytes)}\n`,
    );
  } finally {
    bar.clear();
  }
};

const pullAll = async (entries: readonly Published[], options: PullCliOptions, signal: AbortSignal): Promise<void> => {
  const [{ pull }, { cacheFolder }] = await modules();
  const bar = new BytesBar();
  try {
    for (const entry of entries) {
      const files = await pull(entry, {
        folder: cacheFolder(),
        force: options.force === true,
        offline: options.offline === true,
        signal,
        onProgress: ({ file, ...progress }) => bar.show(file, progress),
        onNote: (text) => {
          bar.clear();
          note(text);
        },
      });
      bar.clear();
      for (const { path, bytes, wasThere, checked } of files) {
        const sum = checked === undefined ? undefined : { [checked.algorithm]: checked.hex };
        const line = { name: entry.name, path, bytes, was_there: wasThere, ...sum };
        print(`${options.json === true ? JSON.stringify(line) : path}\n`);
      }
    }
  } catch (error) {
    if (signal.aborted) note('stopped; the downloaded part is kept, and the same command resumes it');
    throw error;
  } finally {
    bar.clear();
  }
};

const list = async ({ json }: PullCliOptions): Promise<void> => {
  const [{ isPulled }, { cacheFolder }] = await modules();
  const rows: string[][] = [];
  for (const entry of CATALOG) {
    const { name, kind, about, gigabytes } = entry;
    const isHere = await isPulled(entry, cacheFolder());
    if (json === true) print(`${JSON.stringify({ name, kind, about, gigabytes, is_here: isHere })}\n`);
    else rows.push([name, formatBytes(gigabytes * 1e9), isHere ? 'here' : '', about]);
  }
  const columns = [
    { title: 'name' },
    { title: 'size', align: 'right' },
    { title: '' },
    { title: 'description' },
  ] as const;
  if (json !== true) print(formatTable(columns, rows));
};

/** Progress of downloads: a bar on a terminal. Elsewhere, a line for each file and for each reason to wait. */
class BytesBar {
  private bar: SingleBar | undefined;
  private file = '';
  private lastReason = '';

  show(file: string, { stage, bytes, totalBytes, reason }: DownloadProgress): void {
    if (stage === 'waiting') {
      // A reason that repeats is printed once.
      if (reason !== this.lastReason) {
        this.clear();
        note(`${file}: ${reason ?? 'interrupted'}; trying again`);
      }
      this.lastReason = reason ?? '';
      return;
    }
    if (file !== this.file) {
      this.clear();
      this.file = file;
      if (!process.stderr.isTTY)
        note(`downloading ${file}${totalBytes === undefined ? '' : `, ${formatBytes(totalBytes)}`}`);
    }
    if (!process.stderr.isTTY) return;
    this.bar ??= this.start(bytes, totalBytes);
    this.bar.setTotal(totalBytes ?? bytes);
    this.bar.update(bytes, {
      file: stage === 'checking' ? `checking ${file}` : file,
      size: sizeText(bytes, totalBytes),
    });
  }

  clear(): void {
    this.bar?.stop();
    this.bar = undefined;
  }

  private start(bytes: number, totalBytes: number | undefined): SingleBar {
    const bar = new SingleBar(
      {
        stream: process.stderr,
        format: '{file} {bar} {size}, {eta_formatted} left',
        hideCursor: true,
        clearOnComplete: true,
        etaBuffer: 200,
      },
      Presets.shades_classic,
    );
    bar.start(totalBytes ?? bytes, bytes, { file: this.file, size: sizeText(bytes, totalBytes) });
    return bar;
  }
}

const sizeText = (bytes: number, totalBytes: number | undefined): string =>
  totalBytes === undefined ? formatBytes(bytes) : `${formatBytes(bytes)} of ${formatBytes(totalBytes)}`;

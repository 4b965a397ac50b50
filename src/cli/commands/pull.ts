import { Presets, SingleBar } from 'cli-progress';
import { Command } from 'commander';
import { UsageError } from '../../errors.ts';
import { CATALOG, findPublished, TOKENIZERS, type Published } from '../../pull/catalog.ts';
import type { DownloadProgress } from '../../pull/download.ts';
import { interruptible } from '../options/interrupt.ts';
import { note } from '../output/progress.ts';
import { formatBytes, formatTable } from '../output/table.ts';

interface PullCliOptions {
  readonly list?: boolean;
  readonly alone?: boolean;
  readonly force?: boolean;
  readonly offline?: boolean;
  readonly json?: boolean;
}

const help = `
Files go into the cache folder ("mdetr cache path"; MDETR_CACHE names another one). What was begun goes on where it
stopped. Every file is checked against its published sum: MD5 sums of the official record, SHA-256 or git's digest of the
hub. It gets its name only when it is whole and right. A checkpoint brings the vocabulary that it reads.

Environment
  MDETR_CHECKPOINTS_URL   a mirror of the checkpoints: ADDRESS/pretrained_resnet101_checkpoint.pth, with SHA256SUMS or
                          MD5SUMS beside them
  MDETR_BACKBONES_URL     a mirror of torchvision's and timm's backbones
  HF_ENDPOINT, HF_TOKEN   a mirror of the Hugging Face hub; a token for it
  MDETR_OFFLINE=1, HF_HUB_OFFLINE=1   as --offline
  https_proxy, http_proxy, no_proxy   as curl reads them

Examples
  mdetr pull --list
  mdetr pull roberta-base
  mdetr pull resnet101 roberta-base-weights
      what pre-training begins with (backbone_weights, text_encoder_weights)
  mdetr pull pretrained_resnet101
  mdetr detect street.jpg --caption "a dog" --model pretrained_resnet101
  MDETR_CHECKPOINTS_URL=https://mirror.example/mdetr mdetr pull refcoco_EB3 refcoco+_EB3`;

/** `mdetr pull`: published checkpoints and vocabularies. */
export const pullCommand = (): Command =>
  new Command('pull')
    .description('Fetches published checkpoints and vocabularies: resumable, checked, kept in the cache folder.')
    .argument('[name...]', 'names as --list shows them')
    .option('--list', 'what there is, and what is here already')
    .option('--alone', 'a checkpoint without its vocabulary')
    .option('--force', 'fetch again what is here')
    .option('--offline', 'fetch nothing: fails for what is not here')
    .option('--json', 'print one JSON object a line')
    .addHelpText('after', help)
    .action(async (names: string[], options: PullCliOptions) => {
      if (options.list === true) return list(options);
      if (names.length === 0) throw new UsageError('say what to fetch: a NAME that "mdetr pull --list" shows');
      const entries = await withVocabularies(await Promise.all(names.map(lookUp)), options);
      await interruptible((signal) => pullAll(entries, options, signal));
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
    `"${name}" is not published under that name${nearest === undefined ? '' : `; did you mean "${nearest}"?`} ("mdetr pull --list" shows all)`,
  );
};

/** Vocabularies first: they are small, and a checkpoint is of no use without. */
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

// The command's help and a wrong call need neither the network nor the cache.
const modules = () => Promise.all([import('../../pull/pull.ts'), import('../../files/cache-folder.ts')]);

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
        process.stdout.write(`${options.json === true ? JSON.stringify(line) : path}\n`);
      }
    }
  } catch (error) {
    if (signal.aborted) note('stopped; what was fetched is kept, the same command goes on from there');
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
    if (json === true) process.stdout.write(`${JSON.stringify({ name, kind, about, gigabytes, is_here: isHere })}\n`);
    else rows.push([name, formatBytes(gigabytes * 1e9), isHere ? 'here' : '', about]);
  }
  const columns = [{ title: 'name' }, { title: 'about', align: 'right' }, { title: '' }, { title: 'what' }] as const;
  if (json !== true) process.stdout.write(formatTable(columns, rows));
};

/** Bytes of one file after the other, on a terminal; elsewhere a line when a file begins and when something is awaited. */
class BytesBar {
  private bar: SingleBar | undefined;
  private file = '';
  private lastReason = '';

  show(file: string, { stage, bytes, totalBytes, reason }: DownloadProgress): void {
    if (stage === 'waiting') {
      // The same trouble again is no news.
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
        note(`fetching ${file}${totalBytes === undefined ? '' : `, ${formatBytes(totalBytes)}`}`);
    }
    if (!process.stderr.isTTY) return;
    this.bar ??= this.start(bytes, totalBytes);
    this.bar.setTotal(totalBytes ?? bytes);
    this.bar.update(bytes, { what: stage === 'checking' ? `checking ${file}` : file, size: sizes(bytes, totalBytes) });
  }

  clear(): void {
    this.bar?.stop();
    this.bar = undefined;
  }

  private start(bytes: number, totalBytes: number | undefined): SingleBar {
    const bar = new SingleBar(
      {
        stream: process.stderr,
        format: '{what} {bar} {size}, {eta_formatted} left',
        hideCursor: true,
        clearOnComplete: true,
        etaBuffer: 200,
      },
      Presets.shades_classic,
    );
    bar.start(totalBytes ?? bytes, bytes, { what: this.file, size: sizes(bytes, totalBytes) });
    return bar;
  }
}

const sizes = (bytes: number, totalBytes: number | undefined): string =>
  totalBytes === undefined ? formatBytes(bytes) : `${formatBytes(bytes)} of ${formatBytes(totalBytes)}`;

import { cacheFolder } from '../../files/cache-folder.ts';
import { readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { Command } from 'commander';
import { UsageError } from '../../errors.ts';
import { integerFrom } from '../options/option-values.ts';
import { formatBytes, formatTable } from '../output/table.ts';

const help = `
A network is compiled once for every set of weights and kept, so that the next start only maps a file. All of it can be
made again at any time. The folder is the system's cache folder, or MDETR_CACHE where that is set; it is kept below
20 GB (MDETR_CACHE_GB). Models and vocabularies that were pulled lie there too; "clear" leaves them alone.

Examples
  mdetr cache list
  mdetr cache clear
  mdetr cache clear --older-than 30`;

/** `mdetr cache`: look at the compiled networks, or clear them. */
export const cacheCommand = (): Command =>
  new Command('cache')
    .description('Lists or clears the compiled networks that are kept on disk.')
    .addHelpText('after', help)
    .addCommand(
      new Command('list')
        .description('what is kept: program, size, last use')
        .option('--json', 'print one JSON object a line')
        // As the default it is also called for words that are no subcommand, and knows best what to say about them.
        .argument('[word...]')
        .usage('[options]')
        .action(list),
      { isDefault: true },
    )
    .addCommand(
      new Command('clear')
        .description('remove compiled networks')
        .option('--older-than <days>', 'only those not used for so many days', integerFrom(0))
        .action(clear),
    )
    .addCommand(new Command('path').description('print the folder').action(path));

const day = 86_400_000;

const list = async (words: readonly string[], { json }: { readonly json?: boolean }): Promise<void> => {
  if (words.length > 0) throw new UsageError(`there is no "mdetr cache ${words.join(' ')}": it is list, clear or path`);
  const { ProgramCache } = await import('../../engine/runtime/node/program-cache.ts');
  const entries = await new ProgramCache().entries();
  if (json === true) {
    for (const { key, program, bytes, lastUsed } of entries)
      process.stdout.write(`${JSON.stringify({ key, program, bytes, last_used: lastUsed.toISOString() })}\n`);
    return;
  }
  const folder = cacheFolder();
  const total = entries.reduce((sum, { bytes }) => sum + bytes, 0);
  const rows = entries.map(({ key, program, bytes, lastUsed }) => [
    key.slice(0, 12),
    program,
    formatBytes(bytes),
    lastUsed.toISOString().slice(0, 16).replace('T', ' '),
  ]);
  const columns = [
    { title: 'entry' },
    { title: 'network' },
    { title: 'size', align: 'right' },
    { title: 'last used (UTC)' },
  ] as const;
  process.stdout.write(
    `${folder}: ${entries.length} compiled networks, ${formatBytes(total)}\n` +
      (entries.length === 0 ? '' : formatTable(columns, rows, '  ')),
  );
  for (const pulled of ['models', 'tokenizers']) {
    const bytes = await folderBytes(join(folder, pulled));
    if (bytes > 0) process.stdout.write(`  ${pulled}: ${formatBytes(bytes)}, pulled\n`);
  }
};

const clear = async ({ olderThan }: { readonly olderThan?: number }): Promise<void> => {
  const { ProgramCache } = await import('../../engine/runtime/node/program-cache.ts');
  const latest = olderThan === undefined ? Infinity : Date.now() - olderThan * day;
  const cache = new ProgramCache();
  const before = (await cache.entries()).length;
  const freed = await cache.clear(({ lastUsed }) => lastUsed.getTime() <= latest);
  if (olderThan === undefined) await rm(join(cacheFolder(), 'digests'), { recursive: true, force: true });
  const removed = before - (await cache.entries()).length;
  process.stdout.write(`${removed} compiled networks removed, ${formatBytes(freed)}\n`);
};

const path = (): void => {
  process.stdout.write(`${cacheFolder()}\n`);
};

const folderBytes = async (folder: string): Promise<number> => {
  const names = await readdir(folder, { recursive: true }).catch(() => []);
  const sizes = await Promise.all(
    names.map((name) =>
      stat(join(folder, name)).then(
        (info) => (info.isFile() ? info.size : 0),
        () => 0,
      ),
    ),
  );
  return sizes.reduce((sum, size) => sum + size, 0);
};

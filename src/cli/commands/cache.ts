import { cacheFolder } from '../../files/cache-folder.ts';
import { readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { Command } from 'commander';
import { UsageError } from '../../errors.ts';
import { TOKENIZERS_FOLDER } from '../../text/node/packed-tokenizer.ts';
import { CODE_FOLDER } from '../start/code-cache.ts';
import { integerFrom } from '../options/option-values.ts';
import { formatBytes, formatTable } from '../output/table.ts';
import { print } from '../output/print.ts';

const EXAMPLES = `
The programs of a model are compiled once per set of weights and cached on disk, so that later runs start faster. They
can be deleted at any time. The cache is in the system's cache folder, or in MDETR_CACHE if that is set, and is limited
to 20 GB (MDETR_CACHE_GB). Downloaded models and vocabularies are in the same folder; "clear" keeps them.

Examples
  mdetr cache list
  mdetr cache clear
  mdetr cache clear --older-than 30`;

/** `mdetr cache`: lists or clears the cache of compiled programs. */
export const cacheCommand = (): Command =>
  new Command('cache')
    .description('List or clear the compiled programs that are cached on disk.')
    .addHelpText('after', EXAMPLES)
    .addCommand(
      new Command('list')
        .description('list the entries: program, size, last use')
        .option('--json', 'print one JSON object per entry and line')
        // The default command: words that are no subcommand arrive here and are reported by `list`.
        .argument('[word...]')
        .usage('[options]')
        .action(list),
      { isDefault: true },
    )
    .addCommand(
      new Command('clear')
        .description('delete compiled programs')
        .option('--older-than <days>', 'only programs that were not used for this many days', integerFrom(0))
        .action(clear),
    )
    .addCommand(new Command('path').description('print the cache folder').action(path));

const DAY_MS = 86_400_000;

const list = async (words: readonly string[], { json }: { readonly json?: boolean }): Promise<void> => {
  if (words.length > 0) throw new UsageError(`there is no "mdetr cache ${words.join(' ')}": it is list, clear or path`);
  const { ProgramCache } = await import('../../engine/runtime/node/program-cache.ts');
  const entries = await new ProgramCache().entries();
  if (json === true) {
    for (const { key, program, bytes, lastUsed } of entries)
      print(`${JSON.stringify({ key, program, bytes, last_used: lastUsed.toISOString() })}\n`);
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
    { title: 'program' },
    { title: 'size', align: 'right' },
    { title: 'last used (UTC)' },
  ] as const;
  print(
    `${folder}: ${entries.length} compiled programs, ${formatBytes(total)}\n` +
      (entries.length === 0 ? '' : formatTable(columns, rows, '  ')),
  );
  for (const downloaded of ['models', 'tokenizers']) {
    const bytes = await folderBytes(join(folder, downloaded));
    if (bytes > 0) print(`  ${downloaded}: ${formatBytes(bytes)}, downloaded\n`);
  }
};

const clear = async ({ olderThan }: { readonly olderThan?: number }): Promise<void> => {
  const { ProgramCache } = await import('../../engine/runtime/node/program-cache.ts');
  const latest = olderThan === undefined ? Infinity : Date.now() - olderThan * DAY_MS;
  const cache = new ProgramCache();
  const before = (await cache.entries()).length;
  const freed = await cache.clear(({ lastUsed }) => lastUsed.getTime() <= latest);
  if (olderThan === undefined)
    for (const name of ['digests', CODE_FOLDER, TOKENIZERS_FOLDER])
      await rm(join(cacheFolder(), name), { recursive: true, force: true });
  const removed = before - (await cache.entries()).length;
  print(`${removed} compiled programs deleted, ${formatBytes(freed)}\n`);
};

const path = (): void => {
  print(`${cacheFolder()}\n`);
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

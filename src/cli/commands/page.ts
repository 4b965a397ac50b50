import { copyFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Command } from 'commander';
import { MdetrError } from '../../errors.ts';
import { makeFolder } from '../../files/make-folder.ts';
import { packagedPage } from '../../files/packaged-page.ts';
import { replaceFolder } from '../../files/replace-folder.ts';
import { print } from '../output/print.ts';

const EXAMPLES = `
The page runs the embedded model in the browser, or on the server that it comes from (mdetr serve shows it at /). It needs no
server of its own: any host of static files will do, over HTTPS. Threads of WebAssembly need these two headers:
  Cross-Origin-Opener-Policy: same-origin
  Cross-Origin-Embedder-Policy: require-corp
Another model is chosen by the address: index.html?model=URL, where URL is a model folder or an exported folder.

Examples
  mdetr page --out site
  npx http-server site`;

/** `mdetr page`: writes the page as static files. */
export const pageCommand = (): Command =>
  new Command('page')
    .description('Write the page as static files: images, captions and results in the browser alone.')
    .requiredOption('--out <dir>', 'folder to write')
    .option('--force, --overwrite', 'replace DIR if it is such a page')
    .addHelpText('after', EXAMPLES)
    .action(async ({ out, overwrite }: { readonly out: string; readonly overwrite?: boolean }) => {
      const files = packagedPage();
      if (files === undefined) throw new MdetrError('this build of mdetr has no page (dist/page is missing)');
      const tops = new Set(Array.from(files.keys(), (path) => path.split('/')[0]!));
      const fill = async (folder: string): Promise<void> => {
        for (const [path, source] of files) {
          await makeFolder(dirname(join(folder, path)));
          await copyFile(source, join(folder, path));
        }
      };
      const isOwn = (name: string): boolean => tops.has(name) || /^shared-\w+\.js$/.test(name);
      await replaceFolder(out, fill, { what: 'page', isOwn, force: overwrite === true });
      print(`${out}: ${files.size} files\n`);
    });

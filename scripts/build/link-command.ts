/**
 * Puts the command of this checkout where npx looks first. Without it the first `npx mdetr` after an installation installs
 * the checkout as a package of its own, which builds it again.
 */
import { mkdirSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const commands = fileURLToPath(new URL('../../node_modules/.bin', import.meta.url));
// Windows wants command files instead of links; npx finds its own way there.
if (process.platform !== 'win32') {
  mkdirSync(commands, { recursive: true });
  const link = join(commands, 'mdetr');
  rmSync(link, { force: true });
  symlinkSync('../../dist/cli/main.js', link);
}

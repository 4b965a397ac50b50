import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const command = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));

/** Runs the built `mdetr` with its progress on stderr and returns its output. If it fails, this process exits too. */
export const mdetr = (...args: readonly string[]): string => {
  console.error(`mdetr ${args.join(' ')}`);
  const { status, stdout } = spawnSync(process.execPath, [command, ...args], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  if (status !== 0) process.exit(1);
  return stdout;
};

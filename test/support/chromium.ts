import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { chromium, type Browser } from 'playwright-core';

/** Names under which systems install Chromium. */
const NAMES = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];

const isExecutable = (path: string): boolean => {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
};

/** Path of Chromium: `CHROMIUM`, or the system's; undefined if there is none. */
export const chromiumPath = ((): string | undefined => {
  const named = process.env['CHROMIUM'];
  if (named !== undefined && named !== '') return named;
  const folders = (process.env['PATH'] ?? '').split(delimiter);
  return NAMES.flatMap((name) => folders.map((folder) => join(folder, name))).find(isExecutable);
})();

/** Completes the title of tests that need Chromium. */
export const chromiumNote = chromiumPath === undefined ? ' (skipped: there is no Chromium; set CHROMIUM)' : '';

/** Starts Chromium without a window. */
export const launchChromium = (args: readonly string[] = []): Promise<Browser> =>
  chromium.launch({
    executablePath: chromiumPath,
    headless: true,
    // Containers have neither user namespaces nor a large /dev/shm.
    args: ['--no-sandbox', '--disable-dev-shm-usage', ...args],
  });
